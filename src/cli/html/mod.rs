//! `rollover status --html FILE`: one page that needs nothing else, no script among it.
//!
//! [`timeline`] is what was served, published and possibly cached, [`picture`] draws it. The page says
//! what `status` says, in its words.

mod picture;
mod timeline;

use std::fmt::Write as _;
use std::path::Path;

use super::layout::{self, Tone};
use super::page::escape;
use super::status::Status;
use super::status::{Field, Urgency};
use super::world::World;
use super::{Failure, page};
use crate::durable::{self, Access};
use crate::ports::{Event, Ledger as _};
use crate::time::Moment;
use timeline::Timeline;

/// How many lines of a server's history are looked at for its picture.
const EVENTS: usize = 400;

/// How many of them stand on the page.
const EVENTS_SHOWN: usize = 40;

/// The page's style: light and dark, phone and desktop.
const STYLE: &str = include_str!("style.css");

/// Looks at every server, and writes the page.
pub(super) async fn write(world: &World, file: &Path) -> Result<(), Failure> {
    let reports = world.preview(None).await?;
    let now = world.clock.now();
    let mut hosts = Vec::new();
    for (host, report) in &reports {
        let status = Status { spec: host.spec(), report };
        let events = world.ledger.history(&host.spec().name, EVENTS).map_err(Failure::from)?;
        hosts.push((status, events));
    }
    let page = page(&hosts, &now);
    durable::write(file, page.as_bytes(), Access::with_mode(0o644)).map_err(|error| {
        Failure::Broken {
            message: error.describe(),
            hint: "name a file that this user can write".to_owned(),
        }
    })
}

/// The page of these servers, each with its history.
pub(super) fn page(hosts: &[(Status<'_>, Vec<Event>)], now: &Moment) -> String {
    let mut servers = String::new();
    let mut sorted: Vec<_> = hosts.iter().collect();
    sorted.sort_by_key(|(status, _)| Urgency::of(status.report));
    for (status, events) in sorted {
        write_host(&mut servers, status, events, now);
    }
    let at = layout::clock_time(now.wall);
    let body = format!("<header><h1>rollover</h1><p>{at}</p></header>\n<main>\n{servers}</main>\n");
    page::page("rollover status", STYLE, &body)
}

/// What `status` says of a server, label by label.
fn write_fields(html: &mut String, fields: &[Field]) {
    html.push_str("<dl>\n");
    for Field { label, tone, words } in fields {
        let class = match tone {
            Some(Tone::Good) => " class=\"well\"",
            Some(Tone::Bad) => " class=\"wrong\"",
            Some(Tone::Busy | Tone::Strong | Tone::Unknown) | None => "",
        };
        let words = escape(words);
        let _ = writeln!(html, "<dt{class}>{label}</dt><dd>{words}</dd>");
    }
    html.push_str("</dl>\n");
}

/// One server: how it stands, the picture, and what was done.
fn write_host(html: &mut String, status: &Status<'_>, events: &[Event], now: &Moment) {
    let well = status.report.attention.is_empty();
    let (class, word) = if well { ("well", "well") } else { ("wrong", "needs attention") };
    let name = escape(&status.spec.name);
    let _ = writeln!(
        html,
        "<section>\n<h2>{name} <span class=\"{class}\">{word}</span> <span class=\"phase\">{}</span>\
         </h2>",
        status.report.phase
    );
    write_fields(html, &status.fields(now));
    html.push_str(&picture::svg(&Timeline::of(status, events, now)));
    html.push_str("<details><summary>What was done</summary><ol>");
    let done: Vec<&Event> = events.iter().filter(|event| !event.result.is_empty()).collect();
    for event in done.iter().rev().take(EVENTS_SHOWN) {
        let (at, action) = (layout::clock_time(event.at), escape(&event.action));
        let _ = writeln!(html, "<li><time>{at}</time> {action}: {}</li>", escape(&event.result));
    }
    html.push_str("</ol></details>\n</section>\n");
}
