//! A scenario of a seed: events, people who change their mind, and what goes wrong.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::scenario::{Cluster, Happening, Lie, Scenario, Watch, What};
use crate::time::{MINUTE, Moment, SECOND};

/// Ticks from the beginning of the calm until the end.
const CALM: u64 = 20 * MINUTE;

/// The scenario of a seed. The same seed gives the same scenario.
pub fn generate(seed: u64) -> Scenario {
    // Numbers that follow each other give unlike worlds.
    let mut maker = Maker {
        rng: Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d),
        happenings: Vec::new(),
        calm_from: Moment(0),
    };
    maker.scenario(seed)
}

struct Maker {
    rng: Rng,
    happenings: Vec<Happening>,
    calm_from: Moment,
}

/// An event as it was first asked for.
struct Event {
    name: String,
    class: &'static str,
    created: Moment,
    start: Moment,
    end: Moment,
    tier: &'static str,
}

impl Maker {
    fn scenario(&mut self, seed: u64) -> Scenario {
        let minutes = self.rng.u64(20..=60);
        self.calm_from = Moment(minutes * MINUTE);
        let names = ["blue/keynote", "red/party", "blue/talk"];
        let count = self.rng.usize(1..=names.len());
        for name in &names[..count] {
            let event = self.event(name);
            self.audience(&event);
            self.presenters(&event);
            self.edits(&event);
        }
        // One world in six has no faults at all.
        if self.rng.u8(0..6) > 0 {
            let last = if self.rng.bool() { 6 } else { 14 };
            for _ in 0..self.rng.usize(1..=last) {
                self.fault(&names[..count]);
            }
        }
        self.happenings.retain(|h| h.at < self.calm_from);
        self.happenings.sort_by_key(|h| h.at);
        Scenario {
            seed,
            until: Moment(self.calm_from.0 + CALM + 1),
            calm_from: self.calm_from,
            cluster: self.cluster(),
            lease: self.one(&[[15, 10, 3], [15, 10, 2], [30, 20, 5]]),
            happenings: std::mem::take(&mut self.happenings),
        }
    }

    fn cluster(&mut self) -> Cluster {
        let narrow = self.chance(15);
        let room = if narrow {
            self.rng.usize(2..=8)
        } else {
            self.rng.usize(6..=60)
        };
        let most = if narrow { room + self.rng.usize(0..=6) } else { 90 };
        let pull = self.rng.u64(2..=30);
        Cluster {
            zones: 3,
            room,
            most,
            node_after: self.rng.u64(10..=60),
            pull: [pull, pull + self.rng.u64(0..=30)],
            startup: [1, self.rng.u64(1..=12)],
        }
    }

    fn event(&mut self, name: &str) -> Event {
        let class = self.one(&["tree", "tree", "tree", "tree", "flat", "shared", "rooms"]);
        let created = self.before(Moment(0), 8);
        let (tier, max_tier) = match class {
            "rooms" => ("room", None),
            "tree" if self.chance(15) => ("50k", None),
            "tree" if self.chance(40) => ("10k", Some("50k")),
            _ => ("10k", None),
        };
        let start = (!self.chance(15)).then(|| Moment(created.0 + self.rng.u64(MINUTE..=25 * MINUTE)));
        let minutes = self.rng.u64(5..=30);
        let mut spec = json!({"tier": tier, "duration": format!("{minutes}m")});
        if class != "tree" || self.rng.bool() {
            spec["className"] = json!(class);
        }
        if let Some(max_tier) = max_tier {
            spec["maxTier"] = json!(max_tier);
        }
        if self.chance(40) {
            spec["release"] = json!("AfterPeak");
        }
        if self.chance(30) {
            spec["overrun"] = json!(format!("{}m", self.rng.u64(0..=5)));
        }
        self.at(
            created,
            What::Create {
                webinar: name.to_owned(),
                start,
                spec,
            },
        );
        // Without a start it begins as soon as it can.
        let begins = start.unwrap_or(Moment(created.0 + 2 * MINUTE));
        Event {
            name: name.to_owned(),
            class,
            created,
            start: begins,
            end: Moment(begins.0 + minutes * MINUTE),
            tier,
        }
    }

    fn audience(&mut self, event: &Event) {
        let most = match event.tier {
            "room" => 50,
            "50k" => 52_000,
            _ => 24_000,
        };
        let share = self.one(&[0, 10, 35, 40, 40, 80, 100]);
        let people = most * share / 100;
        let early = self.rng.u64(0..=MINUTE);
        let mut at = Moment((event.start.0 + MINUTE).saturating_sub(early));
        let over = self.rng.u64(5..=180);
        self.crowd(event, at, people, over);
        for _ in 0..self.rng.usize(0..=3) {
            at = Moment(at.0 + self.rng.u64(MINUTE..=8 * MINUTE));
            if at < event.end {
                let people = most * self.rng.u32(0..=60) / 100;
                let over = self.rng.u64(5..=240);
                self.crowd(event, at, people, over);
            }
        }
        if self.chance(80) {
            let at = Moment(event.end.0 + self.rng.u64(0..=MINUTE));
            let over = self.rng.u64(10..=120);
            self.crowd(event, at, 0, over);
        }
    }

    fn crowd(&mut self, event: &Event, at: Moment, people: u32, over: u64) {
        let webinar = event.name.clone();
        self.at(
            at,
            What::Audience {
                webinar,
                people,
                over,
            },
        );
    }

    fn presenters(&mut self, event: &Event) {
        let twice = self.chance(60);
        let on = |send| What::Presenters {
            webinar: event.name.clone(),
            send,
            twice,
        };
        let early = self.rng.u64(0..=3 * MINUTE);
        self.at(Moment(event.start.0.saturating_sub(early)), on(true));
        if self.chance(25) {
            let away = Moment(event.start.0 + self.rng.u64(MINUTE..=8 * MINUTE));
            let back = Moment(away.0 + self.rng.u64(5 * SECOND..=3 * MINUTE));
            self.at(away, on(false));
            self.at(back, on(true));
        }
        let end = Moment(event.end.0 + self.rng.u64(0..=2 * MINUTE));
        self.at(end, on(false));
    }

    fn edits(&mut self, event: &Event) {
        if self.chance(45) {
            return;
        }
        for _ in 0..self.rng.usize(1..=4) {
            let at = Moment(event.created.0 + self.rng.u64(SECOND..=35 * MINUTE));
            self.edit(event, at);
        }
    }

    fn edit(&mut self, event: &Event, at: Moment) {
        let mut start = None;
        let mut spec = Map::new();
        match self.rng.u8(0..11) {
            0 | 1 if event.class == "tree" => {
                let tier = self.one(&["10k", "50k", "room"]);
                spec.insert("tier".to_owned(), json!(tier));
                spec.insert("maxTier".to_owned(), self.one(&[Value::Null, json!("50k")]));
            }
            2 | 3 => {
                start = Some(Moment(
                    event.start.0.saturating_sub(5 * MINUTE) + self.rng.u64(0..=15 * MINUTE),
                ));
            }
            4 => _ = spec.insert("duration".to_owned(), json!(format!("{}m", self.rng.u64(1..=40)))),
            5 => {
                let webinar = event.name.clone();
                let until = Moment(at.0 + self.rng.u64(5 * SECOND..=5 * MINUTE));
                let suspend = |suspend: bool| What::Edit {
                    webinar: webinar.clone(),
                    start: None,
                    spec: json!({"suspend": suspend}),
                };
                self.at(at, suspend(true));
                self.at(until, suspend(false));
                return;
            }
            6 if event.class != "rooms" => {
                let until = Moment(at.0 + self.rng.u64(MINUTE..=10 * MINUTE)).written();
                let relays = self.rng.u32(1..=20);
                spec.insert(
                    "override".to_owned(),
                    json!({"relays": relays, "reason": "a guest", "until": until}),
                );
            }
            7 => _ = spec.insert("release".to_owned(), json!(self.one(&["Never", "AfterPeak"]))),
            8 => {
                self.at(
                    at,
                    What::Delete {
                        webinar: event.name.clone(),
                    },
                );
                if self.chance(70) {
                    let again = Moment(at.0 + self.rng.u64(1..=90 * SECOND));
                    let start = self
                        .rng
                        .bool()
                        .then(|| Moment(again.0 + self.rng.u64(MINUTE..=12 * MINUTE)));
                    let spec = json!({"tier": event.tier, "className": event.class, "duration": "8m"});
                    let webinar = event.name.clone();
                    self.at(again, What::Create { webinar, start, spec });
                }
                return;
            }
            9 => {
                let spec = self.one(&[
                    json!({"live": {"drainTimeout": "1m"}}),
                    json!({"ramp": {"waveSize": 5}}),
                    json!({"sizing": {"fanOut": 12}}),
                ]);
                let class = event.class.to_owned();
                self.at(at, What::EditClass { class, spec });
                return;
            }
            _ => _ = spec.insert("overrun".to_owned(), json!(format!("{}m", self.rng.u64(0..=12)))),
        }
        let webinar = event.name.clone();
        self.at(
            at,
            What::Edit {
                webinar,
                start,
                spec: spec.into(),
            },
        );
    }

    fn fault(&mut self, names: &[&str]) {
        let at = Moment(self.rng.u64(1..self.calm_from.0.max(2)));
        let webinar = self.one(names).to_owned();
        let lasts = match self.rng.u8(0..10) {
            0 => self.rng.u64(300..=700),
            1..=3 => self.rng.u64(60..=300),
            _ => self.rng.u64(1..=60),
        };
        let replica = self.rng.usize(0..2);
        let nth = self.rng.usize(0..60);
        let percent = self.one(&[3, 20, 60, 100]);
        let what = match self.rng.u8(0..32) {
            // Who takes over has not seen what was done last.
            29..=31 => {
                let of = self.one(&[Watch::Pods, Watch::Pods, Watch::Revisions, Watch::Services]);
                for replica in 0..2 {
                    let lasts = lasts + 40;
                    self.at(
                        Moment(at.0.saturating_sub(SECOND)),
                        What::HoldWatch { replica, of, lasts },
                    );
                    let (write, applied) = (self.rng.u32(0..12), self.rng.bool());
                    self.at(
                        at,
                        What::CrashAtWrite {
                            replica,
                            write,
                            applied,
                            lasts: 5,
                        },
                    );
                }
                return;
            }
            0 => What::DeletePod { webinar, nth },
            1 => What::FailPod { webinar, nth },
            2 => What::HangPod { webinar, nth, lasts },
            3 => What::LookAlike { webinar },
            4 => What::NodeDown { node: nth, lasts },
            5 => What::NodeGone { node: nth },
            6 => What::ZoneDown { zone: nth % 3, lasts },
            7 => What::NoImages { lasts },
            8 => What::NoNodes { lasts },
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
            26 | 27 => {
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
            _ => {
                let namespace = self.one(&["blue", "red"]).to_owned();
                let pods = self.rng.bool().then(|| self.rng.u32(0..=30));
                What::Quota { namespace, pods }
            }
        };
        self.at(at, what);
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

    fn at(&mut self, at: Moment, what: What) {
        self.happenings.push(Happening { at, what });
    }

    fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(0..100) < percent
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.rng.usize(0..of.len())].clone()
    }

    /// Within so many minutes after `from`.
    fn before(&mut self, from: Moment, minutes: u64) -> Moment {
        Moment(from.0 + self.rng.u64(SECOND..=minutes * MINUTE))
    }
}
