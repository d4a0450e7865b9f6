// SPDX-License-Identifier: GPL-2.0

//! Plots that can be read in light and dark.

use crate::Result;
use plotters::{
    coord::{combinators::LogCoord, ranged1d::ValueFormatter, types::RangedCoordf64},
    prelude::*,
};
use std::{fs, path::Path};

/// Text and axes, and what they become on a dark ground.
const INK: RGBColor = RGBColor(0x24, 0x29, 0x2f);
const STYLE: &str = "<style>\
    @media (prefers-color-scheme: dark) {\
    [fill=\"#24292F\"] { fill: #e6edf3 } [stroke=\"#24292F\"] { stroke: #e6edf3 } }\
    </style>\n";
/// These can be told apart on both, also by those who see fewer colours.
const COLOURS: [RGBColor; 4] = [
    RGBColor(0x2f, 0x81, 0xf7),
    RGBColor(0xe3, 0x6b, 0x1e),
    RGBColor(0x1f, 0xa2, 0x75),
    RGBColor(0xb6, 0x6d, 0xd8),
];

pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// What is plotted over what.
pub struct Axes<'a> {
    pub title: &'a str,
    pub x: &'a str,
    pub y: &'a str,
}

fn short(value: &f64) -> String {
    match *value {
        v if v >= 1e9 => format!("{}G", v / 1e9),
        v if v >= 1e6 => format!("{}M", v / 1e6),
        v if v >= 1e3 => format!("{}k", v / 1e3),
        v => format!("{v}"),
    }
}

/// The least and the greatest of all points' coordinates.
fn bounds(lines: &[Line], of: fn(&(f64, f64)) -> f64) -> (f64, f64) {
    let all = lines.iter().flat_map(|line| line.points.iter().map(of));
    all.fold((f64::MAX, 0.0), |(least, most), v| {
        (v.min(least), v.max(most))
    })
}

fn logarithmic(lines: &[Line], of: fn(&(f64, f64)) -> f64) -> LogCoord<f64> {
    let (least, most) = bounds(lines, of);
    (least / 1.3..most * 1.3).log_scale().into()
}

fn from_zero(lines: &[Line], of: fn(&(f64, f64)) -> f64) -> RangedCoordf64 {
    (0.0..bounds(lines, of).1 * 1.15).into()
}

pub fn log_log(path: &Path, axes: &Axes, lines: &[Line]) -> Result<()> {
    let (x, y) = (logarithmic(lines, |p| p.0), logarithmic(lines, |p| p.1));
    draw(path, axes, lines, x, y)
}

/// The vertical axis begins at 0.
pub fn log_x(path: &Path, axes: &Axes, lines: &[Line]) -> Result<()> {
    let (x, y) = (logarithmic(lines, |p| p.0), from_zero(lines, |p| p.1));
    draw(path, axes, lines, x, y)
}

/// Both axes begin at 0.
pub fn linear(path: &Path, axes: &Axes, lines: &[Line]) -> Result<()> {
    let (x, y) = (from_zero(lines, |p| p.0), from_zero(lines, |p| p.1));
    draw(path, axes, lines, x, y)
}

fn draw<X, Y>(path: &Path, axes: &Axes, lines: &[Line], x: X, y: Y) -> Result<()>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (760, 420)).into_drawing_area();
        let text = |size: u32| ("sans-serif", size).into_font().color(&INK);
        let mut chart = ChartBuilder::on(&area)
            .caption(axes.title, text(22))
            .margin(12)
            .margin_right(24)
            .x_label_area_size(50)
            .y_label_area_size(72)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .axis_style(INK)
            .label_style(text(17))
            .axis_desc_style(text(17))
            .x_desc(axes.x)
            .y_desc(axes.y)
            .x_label_formatter(&short)
            .y_label_formatter(&short)
            .draw()?;
        for (line, colour) in lines.iter().zip(COLOURS) {
            let points = || line.points.iter().copied();
            chart
                .draw_series(LineSeries::new(points(), colour.stroke_width(2)))?
                .label(&line.name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(3))
                });
            chart.draw_series(points().map(|p| Circle::new(p, 3, colour.filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .label_font(text(17))
            .draw()?;
        area.present()?;
    }
    let (head, body) = svg.split_once(">\n").ok_or("no SVG")?;
    fs::write(
        path,
        format!("<!-- SPDX-License-Identifier: GPL-2.0 -->\n{head}>\n{STYLE}{body}"),
    )?;
    Ok(())
}
