//! What goes wrong.

use super::{Event, Maker};
use crate::scenario::{Lie, Watch, What};
use crate::time::{MINUTE, Moment, SECOND};

impl Maker {
    pub(super) fn fault(&mut self, events: &[Event]) {
        let event = &events[self.rng.usize(0..events.len())];
        let at = self.moment(event);
        let webinar = event.name.clone();
        let lasts = match self.rng.u8(0..10) {
            0 => self.rng.u64(300..=700),
            1..=3 => self.rng.u64(60..=300),
            _ => self.rng.u64(1..=60),
        };
        let replica = self.rng.usize(0..2);
        let nth = self.rng.usize(0..60);
        let percent = self.one(&[3, 20, 60, 100]);
        let what = match self.rng.u8(0..45) {
            39..=42 => return self.takes_over_blind(event, at),
            0 => What::DeletePod { webinar, nth },
            1 => What::FailPod { webinar, nth },
            2 => What::HangPod { webinar, nth, lasts },
            3 => What::LookAlike { webinar },
            4 => What::NodeDown { node: nth, lasts },
            5 => What::NodeGone { node: nth },
            6 => What::ZoneDown { zone: nth % 3, lasts },
            43 | 44 => What::NodesSilent {
                percent: self.one(&[10, 30, 100]),
                spread: self.rng.u64(5..=60),
                lasts,
            },
            9 => What::Outage { lasts },
            10 => What::Refusals {
                code: self.one(&[429, 500, 503, 504]),
                percent,
                lasts,
            },
            11 => What::LostAnswers { percent, lasts },
            12 => What::LostCalls {
                percent: percent.min(60),
                lasts,
            },
            13 => What::SlowCalls {
                millis: self.one(&[300, 2_000, 9_000]),
                lasts,
            },
            14 => What::Cut { replica, lasts },
            15 => What::Crash { replica, lasts },
            16..=18 => What::CrashAtWrite {
                replica,
                write: self.rng.u32(0..25),
                applied: self.rng.bool(),
                lasts: lasts % 40,
            },
            19 => What::Restart {
                replica,
                lasts: lasts % 60,
            },
            20 => What::HoldWatch {
                replica,
                of: self.watch(),
                lasts,
            },
            21 => What::BreakWatch {
                replica,
                of: self.watch(),
                stale: self.rng.u64(0..=140),
            },
            22 => What::ClockJump {
                replica,
                by: self.one(&[-3600, -600, -90, 45, 600, 3600]),
            },
            23 => What::Stall { webinar },
            24 => What::StallMid { webinar, nth },
            25 => What::StallRelay { webinar, nth, lasts },
            26 | 27 | 37 | 38 => {
                let how = self.one(&[
                    Lie::Silent,
                    Lie::Zero,
                    Lie::Half,
                    Lie::Tenfold,
                    Lie::Absurd,
                    Lie::Missing,
                    Lie::Resets,
                ]);
                What::Lie {
                    webinar,
                    how,
                    percent,
                    lasts,
                }
            }
            29 => What::StillPicture { webinar, lasts },
            30 => What::MuteRelay { webinar, nth, lasts },
            31 => What::Unreadable { webinar, lasts },
            // What matters while pods are being made.
            what @ (7 | 8 | 28 | 32 | 34) => {
                let at = if self.chance(80) {
                    self.while_ramping(event)
                } else {
                    at
                };
                let entry = self.one(&["ingest", "origin", "viewers-0", "mid-0", "sfu-0"]);
                let what = match what {
                    7 => What::NoImages { lasts: lasts.max(60) },
                    8 => What::NoNodes { lasts },
                    28 => What::Foreign {
                        webinar,
                        entry: entry.to_owned(),
                        lasts: lasts.max(200),
                    },
                    32 => What::PodsRefused {
                        webhook: self.rng.bool(),
                        lasts,
                    },
                    _ => What::SlowPods { lasts: lasts.max(60) },
                };
                self.at(at, what);
                return;
            }
            33 => {
                // Nobody is there when the event is.
                for replica in 0..2 {
                    let lasts = (event.end.0.saturating_sub(event.created.0)) / SECOND + 60;
                    self.at(event.created, What::Crash { replica, lasts });
                }
                return;
            }
            _ => {
                let namespace = self.one(&["blue", "red"]).to_owned();
                let pods = self.rng.bool().then(|| self.rng.u32(0..=30));
                What::Quota { namespace, pods }
            }
        };
        self.at(at, what);
    }

    pub(super) fn takeover(&mut self, events: &[Event]) {
        let event = &events[self.rng.usize(0..events.len())];
        let at = self.moment(event);
        self.takes_over_blind(event, at);
    }

    /// When things go wrong: at any time, or when that hurts most.
    fn moment(&mut self, event: &Event) -> Moment {
        let near = match self.rng.u8(0..6) {
            0 | 1 => event.start.0.saturating_sub(self.rng.u64(0..=5 * MINUTE)),
            2 => event.start.0 + self.rng.u64(0..=3 * MINUTE),
            3 => (event.end.0 + self.rng.u64(0..=8 * MINUTE)).saturating_sub(4 * MINUTE),
            _ => self.rng.u64(1..self.calm_from.0.max(2)),
        };
        Moment(near.max(1))
    }

    /// In the minutes in which a fleet is made.
    fn while_ramping(&mut self, event: &Event) -> Moment {
        let early = self.rng.u64(MINUTE..=5 * MINUTE);
        Moment(event.start.0.saturating_sub(early).max(1))
    }

    /// Who leads dies in the middle of its work, and who takes over has not seen what was done last.
    fn takes_over_blind(&mut self, event: &Event, at: Moment) {
        let webinar = event.name.clone();
        let at = if self.chance(60) {
            self.while_ramping(event)
        } else {
            at
        };
        if self.chance(50) {
            let nth = self.rng.usize(0..60);
            self.at(at, What::FailPod { webinar, nth });
        }
        let held = Moment(at.0 + self.rng.u64(0..=SECOND));
        let of = self.one(&[
            Watch::Pods,
            Watch::Pods,
            Watch::Pods,
            Watch::Revisions,
            Watch::Services,
        ]);
        let lasts = self.rng.u64(30..=90);
        for replica in 0..2 {
            self.at(held, What::HoldWatch { replica, of, lasts });
            let (write, applied) = (self.rng.u32(0..12), self.rng.bool());
            self.at(
                held,
                What::CrashAtWrite {
                    replica,
                    write,
                    applied,
                    lasts: 5,
                },
            );
        }
    }

    fn watch(&mut self) -> Watch {
        self.one(&[
            Watch::Pods,
            Watch::Pods,
            Watch::Pods,
            Watch::Webinars,
            Watch::Webinars,
            Watch::Services,
            Watch::Slices,
            Watch::Budgets,
            Watch::Revisions,
            Watch::Classes,
            Watch::Templates,
        ])
    }
}
