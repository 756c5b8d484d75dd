//! What people are shown.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use webinar_simulator::{Cover, MINUTE, Outcome};

/// How far it is, where somebody looks on.
pub(crate) fn progress(worlds: u64, ticks: u64, elapsed: Duration) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        let rate = ticks as f64 / elapsed.as_secs_f64().max(0.001);
        // Nobody is told twice if it can't be written.
        let _ = write!(out, "\r{worlds} worlds, {ticks} ticks, {rate:.0} a second ");
        let _ = out.flush();
    }
}

/// How much was lived, and what was reached.
pub(crate) fn totals(cover: &Cover, worlds: u64, ticks: u64, calls: u64, elapsed: Duration) {
    let rate = ticks as f64 / elapsed.as_secs_f64().max(0.001);
    println!(
        "{worlds} worlds, {ticks} ticks ({} virtual hours), {calls} calls, {} decisions in {:.1} s: {rate:.0} ticks a second",
        ticks / (60 * MINUTE),
        cover.count("operator", "decision"),
        elapsed.as_secs_f64(),
    );
    for (kind, counts) in cover.all() {
        let all: Vec<String> = counts
            .iter()
            .map(|(which, times)| format!("{which} {times}"))
            .collect();
        println!("  {kind}: {}", all.join(", "));
    }
}

/// What happened, and what was broken.
pub(crate) fn story(outcome: &Outcome) {
    for line in outcome.story.lines() {
        println!("{line}");
    }
    match &outcome.violation {
        Some(violation) => println!("\n{violation}"),
        None => println!("\nnothing was broken"),
    }
}
