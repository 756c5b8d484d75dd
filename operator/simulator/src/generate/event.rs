//! What people do: events of all kinds, their audiences and presenters, and edits.

use serde_json::{Map, Value, json};

use super::Maker;
use crate::scenario::What;
use crate::time::{MINUTE, Moment, SECOND};

/// An event as it was first asked for.
pub(super) struct Event {
    pub(super) name: String,
    class: &'static str,
    pub(super) created: Moment,
    pub(super) start: Moment,
    pub(super) end: Moment,
    tier: &'static str,
}

/// Classes of events, by how often they are asked for. Of `nowhere` there is no class, and `broken` can't be used.
const CLASSES: [&str; 26] = [
    "tree", "tree", "tree", "tree", "tree", "tree", "tree", "tree", "tree", "tree", "tree", "tree", "tree",
    "tree", "flat", "flat", "flat", "shared", "shared", "shared", "rooms", "rooms", "rooms", "rooms",
    "nowhere", "broken",
];

impl Maker {
    pub(super) fn event(&mut self, name: &str) -> Event {
        let class = if self.shared { "shared" } else { self.one(&CLASSES) };
        let mut created = self.within(Moment(0), 8);
        let (tier, max_tier) = match class {
            "rooms" => ("room", None),
            "tree" if self.chance(15) => ("50k", None),
            "tree" if self.chance(40) => ("10k", Some("50k")),
            // More than the class serves.
            "flat" if self.chance(10) => ("50k", None),
            _ => ("10k", None),
        };
        let mut start = (!self.chance(15)).then(|| Moment(created.0 + self.rng.u64(MINUTE..=25 * MINUTE)));
        let mut minutes = self.rng.u64(5..=30);
        if self.chance(3) {
            // Applied when it is long over.
            start = Some(created);
            minutes = 5;
            created = Moment(created.0 + 7 * MINUTE);
        }
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

    pub(super) fn audience(&mut self, event: &Event) {
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

    pub(super) fn presenters(&mut self, event: &Event) {
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

    pub(super) fn edits(&mut self, event: &Event) {
        if self.chance(8) {
            return self.series(event);
        }
        if self.chance(40) {
            return;
        }
        for _ in 0..self.rng.usize(1..=4) {
            let at = Moment(event.created.0 + self.rng.u64(SECOND..=35 * MINUTE));
            self.edit(event, at);
        }
    }

    /// One short run after the other.
    fn series(&mut self, event: &Event) {
        let webinar = event.name.clone();
        let mut at = event.created;
        for _ in 0..7 {
            let start = Some(Moment(at.0 + self.rng.u64(MINUTE..=3 * MINUTE)));
            let spec = json!({"duration": "1m", "overrun": "0s"});
            self.at(
                at,
                What::Edit {
                    webinar: webinar.clone(),
                    start,
                    spec,
                },
            );
            at = Moment(at.0 + self.rng.u64(6 * MINUTE..=9 * MINUTE));
        }
    }

    fn edit(&mut self, event: &Event, at: Moment) {
        let mut start = None;
        let mut spec = Map::new();
        match self.rng.u8(0..14) {
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
                if self.chance(80) {
                    self.at(until, suspend(false));
                }
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
            // So far away that nothing is kept for it, and maybe back again.
            10 => {
                let away = self.rng.u64(45 * MINUTE..=120 * MINUTE);
                if self.chance(50) {
                    let webinar = event.name.clone();
                    let back = self.within(at, 12);
                    let start = Some(Moment(back.0 + self.rng.u64(MINUTE..=8 * MINUTE)));
                    self.at(
                        back,
                        What::Edit {
                            webinar,
                            start,
                            spec: json!({}),
                        },
                    );
                }
                start = Some(Moment(at.0 + away));
            }
            11 => {
                let class = self.one(&CLASSES);
                spec.insert("className".to_owned(), json!(class));
            }
            12 if event.class != "tree" => {
                spec.insert(
                    "tier".to_owned(),
                    json!(self.one(&["room", "10k", "50k", "100k"])),
                );
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
}
