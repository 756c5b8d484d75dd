//! What steps tell: which count, and what a class should say. Pure.

use std::fmt;

use crate::spread::Spread;

/// IPv4 and UDP headers, which the viewers' bytes are without.
const HEADERS: f64 = 28.0;
/// Share of its threads' time from which the client side may be what is slow.
const CLIENT_BUSY: f64 = 0.8;
/// A client that looks so late, in milliseconds, loses time to somebody.
const CLIENT_LATE_MS: u64 = 100;
/// Share of a machine's time from which those on it wait for each other.
const MACHINE_BUSY: f64 = 0.9;
/// A server that delivers less of what came in, to each viewer, has reached its limit.
const DELIVERED: f64 = 0.98;

/// One number of viewers at one relay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(super) viewers: usize,
    /// How many of them were connected in the end.
    pub(super) connected: u64,
    /// Over this time, in seconds.
    pub(super) seconds: f64,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// Bytes of media that the relay received in the same time, one copy.
    pub(super) received: u64,
    pub(super) lost: u64,
    /// What the server used, in seconds of CPU for each second.
    pub(super) cpu: f64,
    /// What the viewers' program used, in seconds of CPU for each second and thread. Unknown where the system doesn't tell.
    pub(super) client_cpu: Option<f64>,
    /// How late the viewers' program was at worst, in milliseconds.
    pub(super) client_late_ms: u64,
    /// Share of its time that the viewers' machine was busy, whoever with.
    pub(super) machine: f64,
}

/// What a step is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It counts.
    Valid,
    /// The client side was, or may have been, the bottleneck: it says nothing about the server.
    Void,
    /// The server did not deliver everything.
    Saturated,
    /// What the viewers cost is less than what the server costs without any.
    TooSmall,
}

impl Step {
    /// Packets to one viewer each second.
    fn rate(&self) -> f64 {
        self.packets as f64 / self.seconds / self.viewers as f64
    }

    /// Kilobits to one viewer each second, with all headers.
    fn kbps(&self) -> f64 {
        (self.bytes as f64 + self.packets as f64 * HEADERS) * 8.0
            / 1000.0
            / self.seconds
            / self.viewers as f64
    }

    /// Packets for each second of CPU that the viewers cost.
    fn kappa(&self, idle: f64) -> f64 {
        self.packets as f64 / self.seconds / (self.cpu - idle).max(f64::EPSILON)
    }

    /// The share of what came in that each viewer got. Headers and authentication tags make it a little more than 1.
    fn delivered(&self) -> f64 {
        self.bytes as f64 / self.viewers as f64 / (self.received.max(1)) as f64
    }

    /// `idle` is the server's CPU without viewers.
    pub(super) fn verdict(&self, idle: f64) -> Verdict {
        let busy = self.client_cpu.is_none_or(|cpu| cpu >= CLIENT_BUSY);
        if busy || self.machine >= MACHINE_BUSY || self.client_late_ms >= CLIENT_LATE_MS {
            return Verdict::Void;
        }
        let everybody = self.connected == self.viewers as u64;
        let whole = (self.packets as f64) >= (self.packets + self.lost) as f64 * DELIVERED;
        if !everybody || !whole || self.delivered() < DELIVERED {
            return Verdict::Saturated;
        }
        if self.cpu < 2.0 * idle {
            return Verdict::TooSmall;
        }
        Verdict::Valid
    }
}

/// One number of children at one SFU.
#[derive(Debug, Clone, Copy)]
pub(super) struct Children {
    pub(super) count: usize,
    /// What the SFU used, in seconds of CPU for each second.
    pub(super) cpu: f64,
    /// What it sent beyond what it sent before, in kbit/s.
    pub(super) kbps: f64,
}

/// All that was measured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    pub(super) steps: Vec<Step>,
    /// The relay's CPU without viewers, in seconds for each second.
    pub(super) idle: f64,
    /// The CPU limit of the relay, if it has one.
    pub(super) limit: Option<f64>,
    /// The SFU's CPU without further children.
    pub(super) sfu_idle: f64,
    pub(super) children: Vec<Children>,
}

/// Where a relay with a CPU limit ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Capacity {
    /// Viewers that the limit carries at the median κ.
    pub(crate) predicted: f64,
    /// The most viewers that all got everything.
    pub(crate) most: usize,
    /// The fewest that did not.
    pub(crate) short: usize,
}

impl Figures {
    fn of(&self, verdict: Verdict) -> impl Iterator<Item = &Step> {
        self.steps
            .iter()
            .filter(move |step| step.verdict(self.idle) == verdict)
    }

    /// The last two steps were too much for the server: more of them would tell nothing new.
    pub(super) fn is_exhausted(&self) -> bool {
        let mut latest = self
            .steps
            .iter()
            .rev()
            .take(2)
            .map(|step| step.verdict(self.idle));
        self.steps.len() >= 2 && latest.all(|verdict| verdict == Verdict::Saturated)
    }

    /// Packets for each second of CPU over the valid steps.
    pub(crate) fn kappa(&self) -> Option<Spread> {
        let all: Spread = self
            .of(Verdict::Valid)
            .map(|step| step.kappa(self.idle))
            .collect();
        (all.count() > 0).then_some(all)
    }

    /// Predicted and measured viewers of a relay with a CPU limit that was reached.
    pub(crate) fn capacity(&self) -> Option<Capacity> {
        let short = self.of(Verdict::Saturated).map(|step| step.viewers).min()?;
        let whole = self.of(Verdict::Valid).chain(self.of(Verdict::TooSmall));
        let most = whole
            .map(|step| step.viewers)
            .filter(|viewers| *viewers < short)
            .max()?;
        let rate: Spread = self.of(Verdict::Valid).map(Step::rate).collect();
        Some(Capacity {
            predicted: self.kappa()?.median() * (self.limit? - self.idle) / rate.median(),
            most,
            short,
        })
    }

    /// What one child costs: CPU seconds each second, and kbit/s.
    fn child(&self) -> Option<(Spread, Spread)> {
        let cpu: Spread = self
            .children
            .iter()
            .map(|c| (c.cpu - self.sfu_idle) / c.count as f64)
            .collect();
        let kbps: Spread = self.children.iter().map(|c| c.kbps / c.count as f64).collect();
        (cpu.count() > 0).then_some((cpu, kbps))
    }

    /// Class values, with the careful end of each spread.
    fn values(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(kappa) = self.kappa() else {
            return writeln!(
                f,
                "\nNo step is valid: use other numbers of viewers, or another machine for them."
            );
        };
        let most = |of: fn(&Step) -> f64| self.of(Verdict::Valid).map(of).fold(0.0, f64::max);
        writeln!(
            f,
            "\nκ {:.0} packets per CPU second, {:.0}–{:.0} over {} steps\n\nspec:\n  sizing:\n    \
             packetsPerSecondPerCPU: {:.0}\n    viewer:\n      packetsPerSecond: {:.0}\n      bitrateKbps: {:.0}",
            kappa.median(),
            kappa.least(),
            kappa.most(),
            kappa.count(),
            kappa.least().floor(),
            most(Step::rate).ceil(),
            most(Step::kbps).ceil(),
        )?;
        if let Some((cpu, kbps)) = self.child() {
            writeln!(
                f,
                "    stage:\n      # What a child costs, in packets at this κ.\n      packetsPerSecond: {:.0}\n      \
                 bitrateKbps: {:.0}",
                (cpu.most() * kappa.least()).ceil().max(1.0),
                kbps.most().ceil().max(1.0),
            )?;
        }
        Ok(())
    }
}

/// The heading over steps.
pub(super) const HEADING: &str = "viewers  packets/s  relay CPU  packets per CPU second  kbit/s each  delivered  lost  client CPU, machine, late";

/// A step as a row.
pub(super) fn row(step: &Step, idle: f64) -> String {
    let verdict = match step.verdict(idle) {
        Verdict::Valid => "",
        Verdict::Void => "  void: the client side may have been the bottleneck",
        Verdict::Saturated => "  the relay's limit",
        Verdict::TooSmall => "  too few to tell",
    };
    let client = step
        .client_cpu
        .map_or_else(|| "?".to_owned(), |cpu| format!("{:.0} %", cpu * 100.0));
    format!(
        "{:>7}  {:>9.0}  {:>9.3}  {:>22.0}  {:>11.0}  {:>7.1} %  {:>5}  {client:>5}, {:.0} %, {} ms{verdict}",
        step.viewers,
        step.packets as f64 / step.seconds,
        step.cpu,
        step.kappa(idle),
        step.kbps(),
        step.delivered() * 100.0,
        step.lost,
        step.machine * 100.0,
        step.client_late_ms,
    )
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(capacity), Some(limit)) = (self.capacity(), self.limit) {
            writeln!(
                f,
                "capacity at a limit of {limit:.2} CPUs: {:.0} viewers predicted, {} got everything, {} did not",
                capacity.predicted, capacity.most, capacity.short,
            )?;
        }
        if !self.children.is_empty() {
            writeln!(
                f,
                "children  SFU CPU  kbit/s more\n       –  {:>7.3}",
                self.sfu_idle
            )?;
        }
        for step in &self.children {
            writeln!(f, "{:>8}  {:>7.3}  {:>11.0}", step.count, step.cpu, step.kbps)?;
        }
        self.values(f)?;
        write!(
            f,
            "\nNot measured: the network card and the way to the viewers, several machines, simulcast layers, other \
             pictures\nthan this one."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 200 packets of 1,000 bytes to each viewer each second, times `delivered`.
    fn step(viewers: usize, delivered: f64, cpu: f64) -> Step {
        Step {
            viewers,
            connected: viewers as u64,
            seconds: 10.0,
            packets: (viewers as f64 * 2000.0 * delivered) as u64,
            bytes: (viewers as f64 * 2_000_000.0 * delivered) as u64,
            received: 2_000_000,
            lost: 0,
            cpu,
            client_cpu: Some(0.3),
            client_late_ms: 5,
            machine: 0.5,
        }
    }

    #[test]
    fn busy_late_and_unknown_clients_and_busy_machines_make_a_step_void() {
        for client in [
            Step {
                client_cpu: Some(0.9),
                ..step(100, 0.5, 0.5)
            },
            Step {
                client_cpu: None,
                ..step(100, 1.0, 0.5)
            },
            Step {
                client_late_ms: 150,
                ..step(100, 0.5, 0.5)
            },
        ] {
            assert_eq!(client.verdict(0.01), Verdict::Void, "{client:?}");
        }
        assert_eq!(step(100, 1.0, 0.5).verdict(0.01), Verdict::Valid);
    }

    #[test]
    fn what_does_not_arrive_is_the_server_s_limit() {
        for short in [
            step(100, 0.9, 0.5),
            Step {
                lost: 5_000,
                ..step(100, 1.0, 0.5)
            },
            Step {
                connected: 90,
                ..step(100, 1.0, 0.5)
            },
            Step {
                packets: 0,
                bytes: 0,
                connected: 0,
                ..step(100, 1.0, 0.5)
            },
        ] {
            assert_eq!(short.verdict(0.01), Verdict::Saturated, "{short:?}");
        }
    }

    #[test]
    fn a_picture_that_varies_is_judged_by_what_came_in() {
        let quiet = Step {
            received: 1_000_000,
            ..step(100, 0.5, 0.5)
        };
        assert_eq!(quiet.verdict(0.01), Verdict::Valid);
    }

    #[test]
    fn only_valid_steps_count_and_what_an_idle_server_costs_is_no_viewer_s() {
        let figures = Figures {
            steps: vec![
                step(2, 1.0, 0.015),
                step(10, 1.0, 0.11),
                step(20, 1.0, 0.26),
                step(40, 0.8, 0.25),
                Step {
                    client_cpu: Some(0.9),
                    ..step(80, 1.0, 0.1)
                },
            ],
            idle: 0.01,
            limit: Some(0.31),
            ..Figures::default()
        };
        let kappa = figures.kappa().expect("valid steps");
        assert_eq!(kappa.count(), 2);
        assert!(
            (kappa.least() - 16_000.0).abs() < 1.0 && (kappa.most() - 20_000.0).abs() < 1.0,
            "{kappa}"
        );
        let capacity = figures.capacity().expect("reached");
        // 20,000 packets a CPU second · 0.3 CPUs / 200 packets.
        assert!((capacity.predicted - 30.0).abs() < 0.01, "{capacity:?}");
        assert_eq!((capacity.most, capacity.short), (20, 40));
        let text = figures.to_string();
        assert!(text.contains("packetsPerSecondPerCPU: 16000"), "{text}");
        let rows: Vec<String> = figures.steps.iter().map(|step| row(step, figures.idle)).collect();
        assert!(
            rows[0].ends_with("too few to tell") && rows[3].ends_with("the relay's limit"),
            "{rows:?}"
        );
        assert!(rows[4].ends_with("may have been the bottleneck"), "{rows:?}");
    }

    #[test]
    fn two_steps_beyond_the_limit_are_enough() {
        let with = |shares: &[f64]| Figures {
            steps: shares.iter().map(|share| step(10, *share, 0.1)).collect(),
            ..Figures::default()
        };
        assert!(!with(&[]).is_exhausted());
        assert!(!with(&[1.0, 0.9]).is_exhausted());
        assert!(with(&[1.0, 0.9, 0.8]).is_exhausted());
    }

    #[test]
    fn a_child_costs_what_it_adds() {
        let figures = Figures {
            steps: vec![step(10, 1.0, 0.1)],
            sfu_idle: 0.01,
            children: vec![
                Children {
                    count: 2,
                    cpu: 0.03,
                    kbps: 2_000.0,
                },
                Children {
                    count: 4,
                    cpu: 0.05,
                    kbps: 4_400.0,
                },
            ],
            ..Figures::default()
        };
        let text = figures.to_string();
        assert!(
            text.contains("packetsPerSecond: 200\n      bitrateKbps: 1100"),
            "{text}"
        );
    }

    #[test]
    fn without_a_valid_step_no_value_is_told() {
        let figures = Figures {
            steps: vec![Step {
                client_cpu: Some(1.0),
                ..step(10, 1.0, 0.1)
            }],
            ..Figures::default()
        };
        let text = figures.to_string();
        assert!(
            text.contains("No step is valid") && !text.contains("packetsPerSecondPerCPU"),
            "{text}"
        );
        assert!(figures.kappa().is_none() && figures.capacity().is_none());
    }
}
