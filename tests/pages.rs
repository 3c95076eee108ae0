//! The pages for browsers, looked at in one: Chromium, at the width of a phone and of a desktop, light and
//! dark.
//!
//! The pages are those that `src/cli/snapshots/pages.rs` pins in `tests/pages/`. They are opened side by
//! side in frames of the wanted width, in a page that measures them from outside: they run no script of
//! their own, and must not have to.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test starts processes and writes files")]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The pages.
const PAGES: [&str; 3] = ["status.html", "status-gap.html", "check.html"];

/// A phone and a desktop.
const WIDTHS: [u32; 2] = [390, 1280];

/// What is measured in each frame.
const MEASURE: &str = include_str!("pages/measure.js");

/// The contrast that text has to have against what is behind it: WCAG 2.2, criterion 1.4.3.
const CONTRAST: f64 = 4.5;

/// A colour scheme that somebody has chosen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// A page with every page in a frame of every width, and what measures them.
fn frames() -> String {
    let mut html = String::from("<!DOCTYPE html><html><body>\n");
    for page in PAGES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages").join(page);
        let text = std::fs::read_to_string(&path).unwrap();
        let quoted = text.replace('&', "&amp;").replace('"', "&quot;");
        for width in WIDTHS {
            html += &format!(
                "<iframe data-page=\"{page}\" width=\"{width}\" height=\"1200\" style=\"border:0\" \
                 srcdoc=\"{quoted}\"></iframe>\n"
            );
        }
    }
    html + "<script>\n" + MEASURE + "</script></body></html>\n"
}

/// What was measured, a value for each page and width; and what the browser said meanwhile.
fn measured(scheme: Scheme) -> (Vec<Value>, String) {
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("frames.html");
    std::fs::write(&page, frames()).unwrap();
    // In a network of its own, which leads nowhere: a browser has much to tell to its makers.
    let mut command = Command::new("unshare");
    command.args(["--net", "chromium"]).args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--enable-logging=stderr",
        "--window-size=1400,1200",
        "--virtual-time-budget=5000",
        "--dump-dom",
    ]);
    if scheme == Scheme::Dark {
        command.arg("--blink-settings=preferredColorScheme=0");
    }
    command.arg(format!("--user-data-dir={}", directory.path().join("profile").display()));
    command.arg(format!("file://{}", page.display()));
    let output = command.stdin(Stdio::null()).output().expect("Chromium runs");
    let dom = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, result) = dom.rsplit_once("<pre id=\"result\">").unwrap_or_else(|| panic!("{said}"));
    let result = result.split("</pre>").next().unwrap().replace("&gt;", ">").replace("&lt;", "<");
    let values = serde_json::from_str(&result.replace("&amp;", "&")).unwrap();
    (values, said)
}

/// Holds what was measured of one page against what a reader needs.
fn look_at(seen: &Value, scheme: Scheme) {
    let name = format!("{} at {} px, {scheme:?}", seen["page"], seen["width"]);
    let number = |key: &str| seen[key].as_f64().unwrap_or_else(|| panic!("{name}: {key}"));
    assert!(number("scrollWidth") <= number("width"), "{name}: it scrolls sideways: {seen:#}");
    assert_eq!(seen["resources"], 0, "{name}: it loads something");
    assert_eq!(seen["scripts"], 0, "{name}: it brings a script");
    assert!(1.0 <= number("drawings"), "{name}: there is no drawing");
    assert_eq!(seen["flat"], 0, "{name}: a drawing that nobody can see");
    let is_dark = number("paper") < 0.5;
    assert_eq!(is_dark, scheme == Scheme::Dark, "{name}: the paper's lightness");
    assert!(CONTRAST <= number("contrast"), "{name}: text that is hard to read: {seen:#}");
    let has_gap = seen["page"] != "status.html";
    assert_eq!(1.0 <= number("gaps"), has_gap, "{name}: a gap: {seen:#}");
    if has_gap {
        assert!(2.0 <= number("gapWidth"), "{name}: a gap too small to be seen: {seen:#}");
        assert_eq!(seen["gapInWords"], true, "{name}: a gap that colour alone tells of");
        assert_ne!(seen["gapColour"], seen["fitsColour"], "{name}");
    }
}

/// Opens every page, and looks.
fn look(scheme: Scheme) {
    let (pages, said) = measured(scheme);
    assert_eq!(pages.len(), PAGES.len() * WIDTHS.len(), "{said}");
    for page in &pages {
        look_at(page, scheme);
    }
    // (Chromium's own start page complains as well, of the network that leads nowhere.)
    let is_ours = |line: &&str| line.contains("CONSOLE") && !line.contains("chrome://");
    let complaints: Vec<&str> = said.lines().filter(is_ours).collect();
    assert!(complaints.is_empty(), "on the console: {complaints:#?}");
}

#[test]
fn the_pages_can_be_read_in_light() {
    look(Scheme::Light);
}

#[test]
fn the_pages_can_be_read_in_the_dark() {
    look(Scheme::Dark);
}
