//! A timeline as SVG: a bar per thing, one scale for all, and a last bar that shows gaps.
//!
//! Renewals are months apart and take minutes, so the scale is not that of time: between two moments
//! stands the logarithm of what passed. Text stands outside of the drawings, so that they can be as
//! wide as the screen without stretching it.

use std::fmt::Write as _;

use super::escape;
use super::timeline::{Fitting, Lane, Set, Stretch, Timeline};
use crate::cli::layout;
use crate::time::Timestamp;

/// The width of a drawing in its own units.
const WIDTH: u64 = 1000;

/// Where each moment stands.
struct Scale<'a> {
    /// The moments.
    moments: &'a [Timestamp],
    /// How far from the left each is.
    places: Vec<u64>,
}

impl<'a> Scale<'a> {
    /// A scale over these moments.
    fn over(moments: &'a [Timestamp]) -> Self {
        let weight = |pair: &[Timestamp]| {
            let seconds = pair[1].since(pair[0]).as_seconds();
            u64::from((seconds + 1).ilog2()) + 2
        };
        let total: u64 = moments.windows(2).map(weight).sum();
        let mut sum = 0;
        let mut places = vec![0];
        for pair in moments.windows(2) {
            sum += weight(pair);
            places.push(sum * WIDTH / total.max(1));
        }
        Self { moments, places }
    }

    /// The place of one of the moments.
    fn place(&self, at: Timestamp) -> u64 {
        let position = self.moments.iter().position(|moment| *moment == at);
        position.map_or(WIDTH, |position| self.places[position])
    }

    /// A bar over a stretch: as high as the drawing, or what is well, so that no colour has to tell it
    /// from what is not, half as high.
    fn bar(&self, stretch: Stretch, class: &str, title: &str) -> String {
        let (from, to) = (self.place(stretch.from), self.place(stretch.to));
        let (y, height) = if class == "fits" { (3, 6) } else { (0, 12) };
        format!(
            "<rect class=\"{class}\" x=\"{from}\" y=\"{y}\" width=\"{}\" height=\"{height}\">\
             <title>{}</title></rect>",
            (to - from).max(4),
            escape(title)
        )
    }
}

/// The whole picture.
pub(super) fn svg(timeline: &Timeline) -> String {
    let scale = Scale::over(&timeline.moments);
    let now = scale.place(timeline.now);
    let mut html = String::from("<div class=\"picture\">\n");
    let mut last = None;
    for lane in &timeline.lanes {
        if last != Some(lane.set) {
            let _ = writeln!(html, "<h3>{}</h3>", heading(lane.set));
            last = Some(lane.set);
        }
        write_lane(&mut html, lane, &scale, now);
    }
    let _ = writeln!(html, "<h3>Whether every pair fits</h3>");
    let bars: Vec<String> = timeline
        .fitting
        .iter()
        .map(|(stretch, fitting)| {
            let (class, words) = verdict(*fitting);
            scale.bar(*stretch, class, &format!("{words}: {}", span_words(*stretch)))
        })
        .collect();
    let worst = timeline.fitting.iter().map(|(_, fitting)| *fitting).max();
    let (_, words) = verdict(worst.unwrap_or(Fitting::Fits));
    write_drawing(&mut html, words, &bars, now);
    let (first, end) = (timeline.moments[0], timeline.moments[timeline.moments.len() - 1]);
    let _ = write!(
        html,
        "<p class=\"axis\"><span>{}</span><span>{}</span></p>\n\
         <p class=\"note\">The line is now, {}. The scale is not that of time: long quiet times are \
         drawn short.</p>\n</div>\n",
        layout::clock_time(first),
        layout::clock_time(end),
        layout::clock_time(timeline.now)
    );
    html
}

/// What a set is, for people.
fn heading(set: Set) -> &'static str {
    match set {
        Set::Served => "Presented by the server: keys",
        Set::Published => "Published by name servers: records",
        Set::Cached => "Possibly held by caches: records",
    }
}

/// A verdict as a class and in words.
fn verdict(fitting: Fitting) -> (&'static str, &'static str) {
    match fitting {
        Fitting::Fits => ("fits", "every pair fits"),
        Fitting::Unknown => ("unknown", "some pair rests on a CA that is not known any more"),
        Fitting::Gap => ("gap", "GAP: some cached records fit no key that was presented"),
    }
}

/// One thing with its name above it.
fn write_lane(html: &mut String, lane: &Lane, scale: &Scale<'_>, now: u64) {
    let class = match lane.set {
        Set::Served => "served",
        Set::Published => "published",
        Set::Cached => "cached",
    };
    let bars: Vec<String> = lane
        .stretches
        .iter()
        .map(|stretch| {
            scale.bar(*stretch, class, &format!("{}: {}", lane.label, span_words(*stretch)))
        })
        .collect();
    let label = match lane.set {
        Set::Served => format!("key {}", lane.label),
        Set::Published | Set::Cached => lane.label.clone(),
    };
    write_drawing(html, &label, &bars, now);
}

/// A name, and the drawing below it.
fn write_drawing(html: &mut String, label: &str, bars: &[String], now: u64) {
    let _ = writeln!(
        html,
        "<p class=\"label\">{0}</p>\n<svg viewBox=\"0 0 {WIDTH} 12\" preserveAspectRatio=\"none\" \
         shape-rendering=\"crispEdges\" role=\"img\" aria-label=\"{0}\">{1}<rect class=\"now\" x=\"{2}\" y=\"0\" width=\"2\" \
         height=\"12\"/></svg>",
        escape(label),
        bars.concat(),
        now.min(WIDTH - 2)
    );
}

/// From when to when.
fn span_words(stretch: Stretch) -> String {
    format!("{} to {}", layout::clock_time(stretch.from), layout::clock_time(stretch.to))
}
