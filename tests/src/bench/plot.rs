//! A report as a picture: what each way of guarding adds to a few calls.

use std::fmt::Write as _;

use super::calls::name;
use super::configurations::{EXAMPLE, FLOOR, INVERTED, LINES, SECCOMP, UNGUARDED};
use super::report::Report;

const CALLS: &[&str] = &[
    name::GETPPID,
    name::OPENAT,
    name::RCVBUF,
    name::PRIORITY_2,
    name::FIONREAD,
    name::GET_FLAGS,
    name::SET_FLAGS,
    name::GET_LINK,
    name::NEW_ROUTE,
    name::NEW_LINK,
];

/// Configuration and colour (Okabe and Ito's, which most eyes tell apart).
const SERIES: &[(&str, &str)] = &[
    (SECCOMP, "#999999"),
    (INVERTED, "#56b4e9"),
    (FLOOR, "#e69f00"),
    (UNGUARDED, "#009e73"),
    (LINES, "#cc79a7"),
    (EXAMPLE, "#d55e00"),
];

const LEFT: f64 = 230.0;
const WIDTH: f64 = 560.0;
const BAR: f64 = 9.0;
const GAP: f64 = 14.0;
const TOP: f64 = 70.0;

/// The picture as SVG.
pub fn svg(report: &Report) -> String {
    let added = |series: &str, call: &str| report.added(series, call).unwrap_or_default().max(0.0);
    let all = CALLS
        .iter()
        .flat_map(|call| SERIES.iter().map(move |(series, _)| (*series, *call)));
    let longest = all
        .map(|(series, call)| added(series, call))
        .fold(1.0, f64::max);
    let mut body = legend();
    let mut y = TOP;
    for call in CALLS {
        let middle = y + BAR * 3.0 + 4.0;
        let _ = writeln!(
            body,
            r#"<text x="{:.0}" y="{middle:.0}" text-anchor="end">{call}</text>"#,
            LEFT - 10.0
        );
        for (series, color) in SERIES {
            let value = added(series, call);
            let width = value / longest * WIDTH;
            let (text_x, text_y) = (LEFT + width + 4.0, y + BAR - 1.0);
            let _ = writeln!(
                body,
                r#"<rect x="{LEFT}" y="{y:.0}" width="{width:.1}" height="{BAR}" fill="{color}"/><text class="n" x="{text_x:.0}" y="{text_y:.0}">{value:.0}</text>"#
            );
            y += BAR;
        }
        y += GAP;
    }
    let (all_width, height) = (LEFT + WIDTH + 60.0, y + 10.0);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {all_width:.0} {height:.0}" font-family="sans-serif" font-size="12">
<style>.n{{font-size:8px;fill:#555}}</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="10" y="20" font-size="15">Instructions added to a call, kernel {}</text>
{body}</svg>
"##,
        report.kernel
    )
}

fn legend() -> String {
    let entry = |(place, (series, color)): (u32, &(&str, &str))| {
        let x = 10.0 + 135.0 * f64::from(place);
        format!(
            r#"<rect x="{x}" y="36" width="12" height="12" fill="{color}"/><text x="{}" y="46">{series}</text>
"#,
            x + 17.0
        )
    };
    (0..).zip(SERIES).map(entry).collect()
}
