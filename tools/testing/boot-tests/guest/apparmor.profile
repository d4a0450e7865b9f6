# SPDX-License-Identifier: GPL-2.0
profile confined flags=(attach_disconnected) {
  file,
  capability,
  signal,
  deny /secret r,
}
