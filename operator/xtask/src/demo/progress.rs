//! The fleet's progress: a bar for each role on a terminal, a line now and then elsewhere.

use indicatif::ProgressBar;
use jiff::{SignedDuration, Timestamp};
use webinar_api::Role;

use super::counts::{Counts, grouped};
use crate::clock::countdown;
use crate::screen::{Screen, style};

/// Between two plain lines.
const PAUSE: SignedDuration = SignedDuration::from_secs(2);

/// What is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub(super) now: Timestamp,
    pub(super) start: Timestamp,
    /// The phase, and the wave while there are waves.
    pub(super) state: String,
    pub(super) planned: Counts,
    pub(super) created: Counts,
    pub(super) ready: Counts,
    pub(super) seats: i32,
    pub(super) viewers: u64,
}

impl View {
    /// The state of a fleet that is created in waves of this size.
    pub(super) fn ramping(created: Counts, planned: Counts, wave_size: usize) -> String {
        let waves = planned.total().div_ceil(wave_size);
        let wave = created.total().div_ceil(wave_size).clamp(1, waves);
        format!("Ramping, wave {wave} of {waves}")
    }

    fn countdown(&self) -> String {
        countdown(self.now, self.start)
    }

    /// One line.
    fn line(&self) -> String {
        let mut line = format!("{:<7} {:<22}", self.countdown(), self.state);
        for role in self.planned.roles() {
            let (ready, planned) = (self.ready.of(role), self.planned.of(role));
            line += &format!("  {} {}/{}", role.as_str(), grouped(ready), grouped(planned));
        }
        line + &self.people()
    }

    fn people(&self) -> String {
        let seats = grouped(self.seats.unsigned_abs() as usize);
        match self.viewers {
            0 => format!("  seats {seats}"),
            viewers => format!("  seats {seats}  viewers {}", webinar_plan::grouped(viewers)),
        }
    }

    fn same_but_for_the_time(&self, other: &Self) -> bool {
        self == &Self {
            now: self.now,
            ..other.clone()
        }
    }
}

/// What shows the views.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    screen: &'a Screen,
    bars: Vec<(Role, ProgressBar)>,
    footer: Option<ProgressBar>,
    shown: Option<View>,
}

impl<'a> Progress<'a> {
    /// With a bar for each role of the plan, if on a terminal.
    pub(super) fn new(screen: &'a Screen, planned: Counts) -> Self {
        let bars = screen.bars.iter().flat_map(|bars| {
            planned.roles().map(move |role| {
                let bar = ProgressBar::new(planned.of(role) as u64)
                    .with_style(
                        style("  {prefix:<6}{bar:40.green/dim} {human_pos:>5}/{human_len} {msg}")
                            .progress_chars("█▌░"),
                    )
                    .with_prefix(role.as_str());
                (role, bars.add(bar))
            })
        });
        let bars: Vec<_> = bars.collect();
        let footer = screen.bars.as_ref().map(|bars| {
            let footer = ProgressBar::new_spinner().with_style(style("  {msg}"));
            bars.add(footer)
        });
        Self {
            screen,
            bars,
            footer,
            shown: None,
        }
    }

    /// Shows a view: at once on a terminal, elsewhere when it is new and the last one is two seconds old.
    pub(super) fn show(&mut self, view: &View) {
        if let Some(footer) = &self.footer {
            for (role, bar) in &self.bars {
                let (created, ready) = (view.created.of(*role), view.ready.of(*role));
                bar.set_position(ready as u64);
                let waiting = created.saturating_sub(ready);
                bar.set_message(if waiting > 0 {
                    format!("{} starting", grouped(waiting))
                } else {
                    String::new()
                });
            }
            footer.set_message(format!("{} {}{}", view.countdown(), view.state, view.people()));
        } else if self.shown.as_ref().is_none_or(|shown| worth(shown, view)) {
            self.screen.say(&view.line());
            self.shown = Some(view.clone());
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        for bar in self.bars.iter().map(|(_, bar)| bar).chain(&self.footer) {
            bar.finish_and_clear();
        }
    }
}

/// Whether a plain line for a view adds to what the last one said.
fn worth(shown: &View, view: &View) -> bool {
    view.now.duration_since(shown.now) >= PAUSE && !view.same_but_for_the_time(shown)
}

#[cfg(test)]
mod tests {
    use super::super::fleet::tests::at;
    use super::*;

    const PLANNED: Counts = Counts {
        sfu: 3,
        mid: 27,
        relay: 1212,
    };

    fn view(second: i64, relay: usize) -> View {
        let created = Counts { relay, ..PLANNED };
        View {
            now: at(second),
            start: at(120),
            state: View::ramping(created, PLANNED, 300),
            planned: PLANNED,
            created,
            ready: Counts {
                sfu: 3,
                mid: 12,
                relay: 0,
            },
            seats: 250_000,
            viewers: 0,
        }
    }

    #[test]
    fn a_line_says_it_all() {
        assert_eq!(
            view(0, 400).line(),
            "T-2:00  Ramping, wave 2 of 5    sfu 3/3  mid 12/27  relay 0/1,212  seats 250,000"
        );
    }

    #[test]
    fn waves_are_counted_by_their_pods() {
        let state = |relay| {
            View::ramping(
                Counts {
                    relay,
                    ..Counts::default()
                },
                PLANNED,
                300,
            )
        };
        assert_eq!(state(0), "Ramping, wave 1 of 5");
        assert_eq!(state(300), "Ramping, wave 1 of 5");
        assert_eq!(state(301), "Ramping, wave 2 of 5");
        assert_eq!(state(1600), "Ramping, wave 5 of 5");
    }

    #[test]
    fn plain_lines_are_new_and_seldom() {
        assert!(!worth(&view(0, 400), &view(1, 401)));
        assert!(worth(&view(0, 400), &view(2, 401)));
        assert!(!worth(&view(0, 400), &view(60, 400)));
    }
}
