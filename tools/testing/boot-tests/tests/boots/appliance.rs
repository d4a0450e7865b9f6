// SPDX-License-Identifier: GPL-2.0

//! What `make appliance` makes, booted as firmware does.

use crate::{host, verdict::*, Case};
use boot_tests::{fact, project_dir, target, Machine};
use libtest_mimic::Failed;
use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// The script that makes the EFI file `$1` of the project's directory, with a program that tells what has come of it,
/// and ends the machine.
const EFI: &str = r#"
    d=$1.d; rm -rf $d; cp -a $project/appliance $d; cp $params $d/cmdline; f=$d/files
    printf '%s\n' $packages >>$d/packages
    mkdir -p $f/etc/systemd/system/multi-user.target.wants
    ln -s ../report.service $f/etc/systemd/system/multi-user.target.wants/
    cat >$f/etc/systemd/system/report.service <<-EOT
	[Unit]
	After=hello.service docker.service
	[Service]
	Type=oneshot
	ExecStart=/report
	StandardOutput=tty
	TTYPath=/dev/console
	EOT
    cp $report $f/report; chmod 755 $f/report; echo $version >$f/etc/appliance-version
    env $signed $project/scripts/appliance $d $1
    rm -rf $d
    "#;

/// A system that is tried: its name, the packages that it has besides, and its program.
pub struct System {
    pub name: &'static str,
    pub packages: &'static str,
    pub report: &'static str,
}

const PODMAN: System = System {
    name: "podman",
    packages: "",
    report: include_str!("../../guest/podman.sh"),
};

const KEXEC: System = System {
    name: "kexec",
    packages: "kexec-tools",
    report: include_str!("../../guest/kexec.sh"),
};

const DOCKER: System = System {
    name: "docker",
    packages: "docker.io docker-cli",
    report: include_str!("../../guest/docker.sh"),
};

/// A key of our own, and its certificate `$1.cert`.
const KEY: &str = "
    [ -e $1.cert ] || openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=boot-tests -keyout $1 -out $1.cert
    ";

/// A disk from which systemd-boot, while the firmware has no keys, enrolls that of `$key`.
const ENROLLING: &str = r#"
    k=$1.d/loader/keys/auto; mkdir -p $k; echo secure-boot-enroll force >$1.d/loader/loader.conf
    cp $OUT/efi/usr/lib/systemd/boot/efi/systemd-bootx64.efi $1.d/EFI/BOOT/BOOTX64.EFI
    openssl x509 -in $key.cert -outform DER -out $1.der
    attributes=NON_VOLATILE,RUNTIME_ACCESS,BOOTSERVICE_ACCESS,TIME_BASED_AUTHENTICATED_WRITE_ACCESS
    for v in PK KEK db; do
        sbsiglist --owner $(cat /proc/sys/kernel/random/uuid) --type x509 --output $1.esl $1.der
        sbvarsign --attr $attributes --key $key --cert $key.cert --output $k/$v.auth $v $1.esl
    done
    esp $1"#;

const PARAMS: &str = "printk.time=0 panic=-1 TERM=dumb";

/// How a firmware gets at what is to be booted: the script that makes `$1` of `$efi`, and QEMU's arguments.
pub struct Way {
    name: &'static str,
    script: &'static str,
    qemu: fn(&Path) -> String,
    /// The firmware starts what is signed, and the kernel is as locked as it can be.
    secure: bool,
    /// In MiB. A firmware that fetches the file itself has it in memory meanwhile.
    memory: u32,
}

/// A disk with a partition for EFI, into which it puts what is in `$1.d`.
pub const PARTITION: &str = r#"
    esp() {
        rm -f $1; truncate -s 400M $1; echo 'start=1M, type=uefi' | sfdisk -q -X gpt $1
        mkfs.vfat -F 32 -s 2 --offset 2048 $1 $((399 * 1024 - 64)) >/dev/null
        mcopy -s -i $1@@1M $1.d/* ::; rm -rf $1.d
    }
    rm -rf $1.d; mkdir -p $1.d/EFI/BOOT;
    "#;

/// A network card for the system alone.
const CARD: &str = "-netdev user,id=n -device virtio-net-pci,netdev=n,romfile=";

fn disk(file: &Path) -> String {
    format!(
        "-bios {} -drive file={},format=raw,if=virtio,snapshot=on {CARD}",
        target().arch.firmware,
        file.display()
    )
}

/// With Secure Boot, by the keys of [`enroll`].
fn secure_disk(file: &Path) -> String {
    format!("{},snapshot=on", secure_firmware(file))
}

/// Its last argument is where the firmware keeps its variables.
fn secure_firmware(disk: &Path) -> String {
    format!(
        "-machine q35,smm=on -global driver=cfi.pflash01,property=secure,value=on {CARD} \
         -drive file={},format=raw,if=virtio,snapshot=on \
         -drive if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.secboot.fd \
         -drive if=pflash,format=raw,unit=1,file={}",
        disk.display(),
        target().tmp("appliance.vars").display()
    )
}

/// Has the firmware trust our key alone, as its owner does: by systemd-boot, which then resets the machine.
fn enroll() -> Outcome {
    host::make("appliance.vars", "cp /usr/share/OVMF/OVMF_VARS_4M.fd $1")?;
    let key = host::make("appliance.key", KEY)?;
    let disk = host::make(
        "appliance.enrolling",
        &format!("key={}; {PARTITION}{ENROLLING}", key.display()),
    )?;
    let machine = of_firmware(secure_firmware(&disk), SECURE_BOOT.memory);
    expect(
        &machine,
        &["*Custom Secure Boot keys successfully enrolled*"],
    )?;
    Ok(())
}

fn network(boot: String, rom: &str) -> String {
    let firmware = &target().arch.firmware;
    format!("-bios {firmware} -device virtio-net-pci,netdev=n{rom} -netdev user,id=n,{boot}")
}

fn tftp(dir: &Path) -> String {
    let dir = dir.display();
    network(format!("tftp={dir},bootfile=appliance.efi"), ",romfile=")
}

/// QEMU's network card brings iPXE along, and each connection to that address starts a server.
fn http(dir: &Path) -> String {
    let server = format!("guestfwd=tcp:10.0.2.100:80-cmd:{}/httpd", dir.display());
    network(format!("{server},bootfile=http://10.0.2.100/boot.ipxe"), "")
}

pub const PARTITION_ALONE: Way = Way {
    name: "partition",
    script: "cp $efi $1.d/EFI/BOOT/BOOT$(echo $boot | tr a-z A-Z).EFI; esp $1",
    qemu: disk,
    secure: false,
    memory: 768,
};

/// With a newer one beside, if there is one.
const GRUB: Way = Way {
    name: "grub",
    script: r#"
        cp $OUT/host/grub/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi $1.d/EFI/BOOT/BOOTX64.EFI
        cp $OUT/kernels/appliance/$IMAGE $1.d/kernel; cp $OUT/appliance/${efi##*/}.cpio.system.zst $1.d/system.cpio.zst
        cp $OUT/appliance/${efi##*/}.cpio.zst $1.d/files.cpio.zst; mkdir $1.d/EFI/debian
        [ ! -e $OUT/appliance/$newer.cpio.zst ] || cp $OUT/appliance/$newer.cpio.zst $1.d/newer.cpio.zst
        cat >$1.d/EFI/debian/grub.cfg <<-EOT
		linux /kernel $(cat $params)
		initrd /system.cpio.zst /files.cpio.zst
		boot
		EOT
        esp $1"#,
    qemu: disk,
    secure: false,
    memory: 2048,
};

const SYSTEMD_BOOT: Way = Way {
    name: "systemd-boot",
    script: r#"
        cp $OUT/efi/usr/lib/systemd/boot/efi/systemd-bootx64.efi $1.d/EFI/BOOT/BOOTX64.EFI
        mkdir $1.d/EFI/Linux; cp $efi $1.d/EFI/Linux/appliance.efi; esp $1"#,
    qemu: disk,
    secure: false,
    memory: 2048,
};

const PXE: Way = Way {
    name: "pxe",
    script: "rm -rf $1.d $1; mkdir $1; ln $efi $1/appliance.efi",
    qemu: tftp,
    secure: false,
    memory: 2048,
};

const IPXE: Way = Way {
    name: "ipxe",
    script: r#"
        rm -rf $1.d $1; mkdir $1; ln $OUT/kernels/appliance/$IMAGE $1/kernel; ln -L $OUT/appliance/${efi##*/}.cpio.system.zst $1/system.cpio.zst
        cp $OUT/appliance/${efi##*/}.cpio.zst $1/files.cpio.zst
        printf '%s\n' '#!ipxe' "kernel kernel initrd=system.cpio.zst initrd=files.cpio.zst $(cat $params)" \
            'initrd system.cpio.zst' 'initrd files.cpio.zst' boot >$1/boot.ipxe
        printf '#!/bin/sh\nexec %s httpd -i -h %s\n' $(find $OUT/host/busybox -name busybox -type f) $1 >$1/httpd; chmod 755 $1/httpd"#,
    qemu: http,
    secure: false,
    memory: 2048,
};

const SECURE_BOOT: Way = Way {
    name: "secure-boot",
    script: PARTITION_ALONE.script,
    qemu: secure_disk,
    secure: true,
    memory: 2048,
};

/// The container starts, and with `empty_rootfs=0` it does not.
fn boots(way: Way) -> Outcome {
    let (lockdown, secure) = match way.secure {
        true => (
            "lockdown: none integrity [confidentiality]",
            "secure boot: 1",
        ),
        false => (
            "lockdown: [none] integrity confidentiality",
            "secure boot: 0",
        ),
    };
    if way.secure {
        enroll()?;
    }
    let on = [
        IS_ON,
        lockdown,
        "root: tmpfs",
        "service: active",
        "container: hello from a container, whose root is overlay",
        "run: hello from a directory",
        "host: appliance",
        "address: 10.0.2.15/24",
        secure,
    ];
    let on = expect(&machine(&PODMAN, &way, "", way.secure)?, &on)?;
    let off = [
        lockdown,
        "root: rootfs",
        "service: inactive",
        "container: *error jailing process inside rootfs: pivot_root .: invalid argument*",
        "run: *error jailing process inside rootfs: pivot_root .: invalid argument*",
        secure,
    ];
    let off = expect(&machine(&PODMAN, &way, "empty_rootfs=0", way.secure)?, &off)?;
    let id = |console| fact(console, "id").map(String::from);
    if id(&on).is_none() || id(&on) == id(&off) {
        return Err(format!("{on}\nno machine ID of this boot's own").into());
    }
    if way.secure {
        let mut unsigned = machine(&PODMAN, &way, "unsigned=1", false)?;
        unsigned.may_hang = true;
        unsigned.deadline = Duration::from_secs(180);
        let console = expect(&unsigned, &["*Access Denied*"])?;
        if has(&console, "*Linux version *") {
            return Err(format!("{console}\nwhat nobody has signed has started").into());
        }
    }
    Ok(())
}

pub fn machine(system: &System, way: &Way, params: &str, signed: bool) -> Result<Machine, Failed> {
    let words = params.replace(['=', ' '], "-");
    let name = format!("{}.{}.{words}", system.name, way.name);
    let lockdown = match way.secure {
        true => "lockdown=confidentiality",
        false => "",
    };
    let params = format!("{} {PARAMS} {lockdown} {params}\n", target().arch.params);
    let params = host::file(&format!("{name}.params"), &params)?;
    let given = format!("params={params}; boot={};", target().arch.efi);
    let efi = efi(system, &name, 1, &given, signed)?;
    let script = format!(
        "{given} efi={}; newer={}.newer.efi; {PARTITION}{}",
        efi.display(),
        system.name,
        way.script
    );
    let made = host::make(&name, &script)?;
    // What boots is in there.
    fs::remove_file(efi)?;
    Ok(of_firmware((way.qemu)(&made), way.memory))
}

/// The EFI file `name` of the system, in that version.
fn efi(
    system: &System,
    name: &str,
    version: u32,
    given: &str,
    signed: bool,
) -> Result<PathBuf, Failed> {
    let report = host::file(&format!("{name}.report"), system.report)?;
    let signed = match signed {
        true => format!(
            "KEY={0} CERT={0}.cert",
            host::make("appliance.key", KEY)?.display()
        ),
        false => String::new(),
    };
    let script = format!(
        "{given} project={}; signed='{signed}'; report={report}; packages='{}'; version={version}; {EFI}",
        project_dir().display(),
        system.packages
    );
    host::make(&format!("{name}.efi"), &script)
}

fn of_firmware(arguments: String, memory: u32) -> Machine {
    let mut machine = Machine::new("none", "");
    machine.memory = memory;
    machine.deadline = Duration::from_secs(900);
    machine.firmware = arguments.split(' ').map(String::from).collect();
    machine
}

/// Through `systemctl soft-reboot`, which pivots: the old root's memory comes back. On a stock boot it does not, though
/// containers start there as well: that is the copy into a second tmpfs.
fn update_gives_memory_back() -> Outcome {
    let updated = |params, expected: &[&str]| -> Result<[u64; 2], Failed> {
        let mut machine = machine(&PODMAN, &PARTITION_ALONE, params, false)?;
        machine.memory = 2048;
        let console = expect(
            &machine,
            &[&["root: tmpfs", "service: active"], expected].concat(),
        )?;
        let both = [number(&console, "before")?, number(&console, "after")?];
        println!("[{params}] KiB in tmpfs before and after: {both:?}");
        Ok(both)
    };
    let [before, after] = updated("update", &[IS_ON, "root before: tmpfs"])?;
    let [stock, stays] = updated("empty_rootfs=0 update", &["root before: rootfs"])?;
    match after * 10 < before * 13 && stays * 10 > stock * 17 {
        true => Ok(()),
        false => Err("the memory of the old root is not what was expected".into()),
    }
}

/// Down through an exitrd, and by kexec into a newer one on the disk, which has the same kernel. On a stock boot systemd
/// moves where it cannot pivot: the old root is out of sight as well, and its memory stays.
fn kexec_starts_a_newer_one() -> Outcome {
    let params = host::file("kexec.newer.params", "quiet\n")?;
    let given = format!("params={params};");
    fs::remove_file(efi(&KEXEC, "kexec.newer", 2, &given, false)?)?;
    let through = |params, expected: &[&str]| -> Result<[u64; 2], Failed> {
        let seen = [
            "version: 1",
            "newer: loaded",
            "exitrd: kexec, 0 mounts of the old root are left",
            "version: 2",
        ];
        let machine = machine(&KEXEC, &GRUB, params, false)?;
        let console = expect(&machine, &[&seen, expected].concat())?;
        let both = [
            number(&console, "in memory")?,
            number(&console, "exitrd in memory")?,
        ];
        println!("[{params}] KiB in tmpfs before, and in the exitrd: {both:?}");
        Ok(both)
    };
    let [before, after] = through("", &["root: tmpfs", "service: active"])?;
    let [stock, stays] = through("empty_rootfs=0", &["root: rootfs", "service: inactive"])?;
    match after * 10 < before && stays * 10 > stock * 9 {
        true => Ok(()),
        false => Err("the memory of the old root is not what was expected".into()),
    }
}

/// dockerd, with overlay2 straight on the root.
fn docker_runs_and_builds() -> Outcome {
    let on = [
        IS_ON,
        "root: tmpfs",
        "storage: overlay2",
        "run: hello from docker",
        "exec: inside",
        "cp: text",
        "build: Successfully tagged built:latest",
        "built: /built",
    ];
    let machine_of = |params| {
        let mut machine = machine(&DOCKER, &PARTITION_ALONE, params, false)?;
        machine.memory = 2048;
        Ok::<Machine, Failed>(machine)
    };
    expect(&machine_of("")?, &on)?;
    let off = [
        "root: rootfs",
        "storage: overlay2",
        "run: pivot_root *invalid argument*",
    ];
    expect(&machine_of("empty_rootfs=0")?, &off)?;
    Ok(())
}

/// The architectures that have a firmware, as a list of words.
fn with_efi() -> Result<String, Failed> {
    let mut names = Vec::new();
    for file in fs::read_dir(project_dir().join("tools/testing/boot-tests/arches"))? {
        let file = file?.path();
        if lines(&fs::read_to_string(&file)?, "#: efi *") > 0 {
            names.extend(
                file.file_stem()
                    .map(|name| name.to_string_lossy().into_owned()),
            );
        }
    }
    names.sort();
    Ok(names.join(" "))
}

/// What `make appliance` says of a directory or a key that it cannot take, which is all that comes of it.
fn bad_input_is_named() -> Outcome {
    let dir = host::make(
        "appliance.bad",
        "rm -rf $1; mkdir -p $1/files; echo udev >$1/packages; yes quiet | head -n 400 >$1/cmdline
         openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=a -keyout $1/key -out $1/cert
         openssl genrsa -out $1/other 2048",
    )?;
    let here = dir.display();
    let short = format!("echo quiet >{here}/cmdline;");
    let key = format!("KEY={here}/other CERT={here}/cert");
    // A project that has another kernel.
    let other = format!("{here}.project");
    let project = project_dir();
    let project = project.display();
    let no_image = format!(
        "{short} at={other}; rm -rf $at; mkdir -p $at/build/kernels/appliance/${{IMAGE%/*}}
         cp -r {project}/scripts {project}/tools $at;"
    );
    let no_stub = format!(
        "at={other}; touch $at/build/kernels/appliance/$IMAGE $at/build/kernels/appliance/.config;"
    );
    let inputs = [
        (
            "".into(),
            "".into(),
            format!("{here}/cmdline has 2399 bytes; the kernel takes 2047"),
        ),
        (
            short.clone(),
            key,
            format!("{here}/cert is not the certificate of {here}/other"),
        ),
        (
            short.clone(),
            format!("KEY={here}/key"),
            "KEY and CERT name files in PEM; there is no CERT".into(),
        ),
        (
            short.clone(),
            format!("KEY={here}/cert CERT={here}/cert"),
            format!("{here}/cert is no private key in PEM without a password"),
        ),
        (
            short.clone(),
            format!("KEY={here}/key CERT={here}/key"),
            format!("{here}/key is no certificate in PEM"),
        ),
        (
            no_image,
            "".into(),
            format!(
                "there is no {other}/build/kernels/appliance/{}; make kernel K=appliance builds it",
                env::var("IMAGE")?
            ),
        ),
        (
            no_stub,
            "".into(),
            format!("{other}/build/kernels/appliance has no CONFIG_EFI_STUB=y, which the firmware needs"),
        ),
        (
            short.clone(),
            "ARCH=riscv64".into(),
            format!("it is not made for ARCH=riscv64; there are {}", with_efi()?),
        ),
        (
            format!("{short} rm {here}/packages;"),
            "".into(),
            format!("{here} has no packages; appliance/ shows one"),
        ),
    ];
    for (before, given, said) in inputs {
        let script = format!(
            "at={project}; {before}
             if env {given} $at/scripts/appliance {here} {here}.efi 2>$1 >/dev/null; then exit 1; fi
             [ ! -e {here}.efi ]"
        );
        let answer = fs::read_to_string(host::make("appliance.answer", &script)?)?;
        if answer != format!("appliance: {said}\n") {
            return Err(format!("{answer}\nnot: {said}").into());
        }
    }
    Ok(())
}

pub fn needs() -> [String; 3] {
    [
        "kernel appliance".into(),
        "appliance".into(),
        format!(
            "setup dosfstools fdisk mtools openssl {} sbsigntool",
            target().arch.firmware_package
        ),
    ]
}

const ON_X86: &str = "it is tried on x86_64 alone";

pub fn cases() -> Vec<Case> {
    let case = |name, way| {
        Case::new(name, move || boots(way))
            .needs(needs())
            .x86_only(ON_X86)
    };
    vec![
        Case::new("firmware_starts_it_from_a_disk", || boots(PARTITION_ALONE))
            .needs(needs())
            .skip_unless(
                !target().arch.efi.is_empty(),
                "no firmware is known that starts it",
            ),
        case("grub_starts_it", GRUB).needs(["userland host/grub grub-efi-amd64-bin"]),
        case("systemd_boot_starts_it", SYSTEMD_BOOT),
        case("firmware_starts_it_from_the_network", PXE),
        case("ipxe_starts_it", IPXE).needs(["userland host/busybox busybox-static"]),
        case("secure_boot_starts_what_is_signed", SECURE_BOOT),
        case!(update_gives_memory_back)
            .needs(needs())
            .x86_only(ON_X86),
        case!(kexec_starts_a_newer_one)
            .needs(needs())
            .needs(["userland host/grub grub-efi-amd64-bin"])
            .x86_only(ON_X86),
        case!(docker_runs_and_builds)
            .needs(needs())
            .x86_only(ON_X86),
        case!(bad_input_is_named)
            .needs([
                "kernel appliance",
                "setup libarchive-tools openssl sbsigntool",
            ])
            .x86_only(ON_X86),
    ]
}
