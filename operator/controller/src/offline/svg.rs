//! The plan as a picture: capacity in seats against the expected crowd.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use webinar_plan::{counted, grouped};

use super::contract::{Aside, Outline, Report, Schedule};
use super::crowd::curve;

const WIDTH: f64 = 960.0;
const PANEL: f64 = 320.0;
const LEFT: f64 = 86.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 84.0;
const BOTTOM: f64 = 40.0;

/// Colours follow the reader's own light or dark setting.
const STYLE: &str = "
  :root { --ink: #1f2328; --soft: #656d76; --grid: #d8dee4; --page: #ffffff; --seats: #0969da; --crowd: #bc4c00; }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #e6edf3; --soft: #8d96a0; --grid: #30363d; --page: #0d1117; --seats: #4493f8; --crowd: #f0883e; }
  }
  text { font: 12px system-ui, sans-serif; fill: var(--ink); }
  .title { font-size: 15px; font-weight: 600; }
  .soft { fill: var(--soft); }
  .page { fill: var(--page); }
  .grid { stroke: var(--grid); }
  .mark { stroke: var(--soft); stroke-dasharray: 3 3; }
  .area { fill: var(--seats); opacity: 0.16; }
  .seats { fill: none; stroke: var(--seats); stroke-width: 2; }
  .kept { fill: none; stroke: var(--seats); stroke-width: 2; stroke-dasharray: 6 5; }
  .crowd { fill: none; stroke: var(--crowd); stroke-width: 2; }
  .key-seats { fill: var(--seats); } .key-crowd { fill: var(--crowd); }
";

/// Draws every Webinar that is served, one below the other.
pub(crate) fn render(report: &Report) -> String {
    let drawn: Vec<_> = report
        .webinars
        .iter()
        .filter_map(|o| Some((o, o.schedule.as_ref()?, o.aside.as_ref()?)))
        .collect();
    let refused: Vec<_> = report.webinars.iter().filter(|o| o.refused.is_some()).collect();
    let notes = 24.0 * refused.len() as f64;
    let height = PANEL * drawn.len() as f64 + notes + 8.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Planned capacity against the expected crowd\">\n<style>{STYLE}</style>\n<rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n"
    );
    for (i, (outline, schedule, aside)) in drawn.iter().enumerate() {
        // Writing to a String can't fail.
        let _ = panel(&mut out, PANEL * i as f64, outline, schedule, aside);
    }
    for (i, outline) in refused.iter().enumerate() {
        let y = PANEL * drawn.len() as f64 + 24.0 * i as f64 + 18.0;
        let why = outline.refused.as_ref().map_or("", |n| n.message.as_str());
        let line = format!("{}/{} is refused: {why}", outline.namespace, outline.name);
        let _ = writeln!(out, "<text x=\"16\" y=\"{y}\">{}</text>", escape(&line));
    }
    out.push_str("</svg>\n");
    out
}

struct Axes {
    from: Timestamp,
    span: f64,
    most: f64,
    base: f64,
    rise: f64,
}

impl Axes {
    fn x(&self, t: Timestamp) -> f64 {
        let share = t.duration_since(self.from).as_secs_f64() / self.span;
        LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, people: u32) -> f64 {
        self.base - f64::from(people) / self.most * self.rise
    }
}

fn panel(
    out: &mut String,
    top: f64,
    outline: &Outline,
    schedule: &Schedule,
    aside: &Aside,
) -> std::fmt::Result {
    // What matters happens around the start; a long event's middle is cut to its end and a little more.
    let first = schedule
        .ramp_time
        .min(schedule.start_time - SignedDuration::from_mins(17));
    let length = schedule.end_time.duration_since(first).as_secs_f64().max(60.0);
    let margin = SignedDuration::from_secs_f64(length * 0.06);
    let from = first - margin;
    let axes = Axes {
        from,
        span: length + 3.0 * margin.as_secs_f64(),
        most: f64::from(outline.seats.max(aside.attendees).max(1)) * 1.05,
        base: top + PANEL - BOTTOM,
        rise: PANEL - TOP - BOTTOM,
    };
    let right = WIDTH - RIGHT;
    let title = format!("{}/{}", outline.namespace, outline.name);
    let tier = outline.tier.as_deref().unwrap_or_default();
    let pods = outline.pods.map_or(0, super::contract::Pods::total);
    writeln!(
        out,
        "<text class=\"title\" x=\"16\" y=\"{}\">{}</text>",
        top + 24.0,
        escape(&title)
    )?;
    writeln!(
        out,
        "<text class=\"soft\" x=\"16\" y=\"{}\">{} · tier {tier} · {} · {} seats</text>",
        top + 42.0,
        schedule.start_time.strftime("%F"),
        counted(pods, "pod"),
        grouped(outline.seats)
    )?;
    key(out, top + 24.0, right)?;
    for share in [0, 50, 100] {
        let people = u32::try_from(u64::from(aside.attendees) * share / 100).unwrap_or(u32::MAX);
        let y = axes.y(people);
        writeln!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
        )?;
        writeln!(
            out,
            "<text class=\"soft\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            grouped(people)
        )?;
    }
    marks(out, top, &axes, schedule, aside)?;
    capacity(out, &axes, schedule, aside)?;
    let crowd = curve(aside.attendees, schedule.start_time, schedule.end_time);
    let points: Vec<String> = crowd
        .iter()
        .map(|(t, n)| format!("{:.1},{:.1}", axes.x(*t), axes.y(*n)))
        .collect();
    writeln!(out, "<polyline class=\"crowd\" points=\"{}\"/>", points.join(" "))
}

fn key(out: &mut String, y: f64, right: f64) -> std::fmt::Result {
    for (class, text, x) in [
        ("key-seats", "seats", right - 190.0),
        ("key-crowd", "expected crowd", right - 120.0),
    ] {
        writeln!(
            out,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"14\" height=\"4\" rx=\"2\"/>",
            y - 6.0
        )?;
        writeln!(out, "<text x=\"{}\" y=\"{y}\">{text}</text>", x + 20.0)?;
    }
    Ok(())
}

/// Boundaries with their names above and their times below. Those of the same moment share a line; names that
/// would collide go up one row.
fn marks(out: &mut String, top: f64, axes: &Axes, schedule: &Schedule, aside: &Aside) -> std::fmt::Result {
    let mut taken = [f64::MIN; 2];
    let mut moments: Vec<(String, Timestamp)> = Vec::new();
    for (name, t) in [
        ("ramp", schedule.ramp_time),
        ("ready by", schedule.ready_by_time),
        ("start", schedule.start_time),
        ("floor until", aside.floor_until),
        ("end", schedule.end_time),
    ] {
        match moments.last_mut().filter(|(_, last)| *last == t) {
            Some((names, _)) => *names = format!("{names}, {name}"),
            None => moments.push((name.to_owned(), t)),
        }
    }
    for (name, t) in moments {
        let x = axes.x(t);
        let row = usize::from(x < taken[0]);
        taken[row] = x + 78.0;
        let y = top + TOP - 8.0 - 14.0 * row as f64;
        let below = axes.base + 16.0 + 14.0 * row as f64;
        writeln!(
            out,
            "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
            y + 3.0,
            axes.base
        )?;
        writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\">{name}</text>")?;
        writeln!(
            out,
            "<text class=\"soft\" x=\"{x:.1}\" y=\"{below:.1}\">{}</text>",
            t.strftime("%H:%M:%SZ")
        )?;
    }
    Ok(())
}

/// Steps up as waves become ready, level until the planned end, dashed where it depends on who still watches.
fn capacity(out: &mut String, axes: &Axes, schedule: &Schedule, aside: &Aside) -> std::fmt::Result {
    let mut line = format!("M{:.1},{:.1}", axes.x(axes.from), axes.y(0));
    let mut level = 0;
    for (t, seats) in &aside.seats_from {
        let x = axes.x(*t);
        write!(
            line,
            " L{x:.1},{:.1} L{x:.1},{:.1}",
            axes.y(level),
            axes.y(*seats)
        )?;
        level = *seats;
    }
    let (end, y) = (axes.x(schedule.end_time), axes.y(level));
    write!(line, " L{end:.1},{y:.1}")?;
    writeln!(
        out,
        "<path class=\"area\" d=\"{line} L{end:.1},{:.1} Z\"/>",
        axes.y(0)
    )?;
    writeln!(out, "<path class=\"seats\" d=\"{line}\"/>")?;
    let release = axes.x(schedule.release_time);
    writeln!(
        out,
        "<path class=\"kept\" d=\"M{end:.1},{y:.1} L{release:.1},{y:.1}\"/>"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
