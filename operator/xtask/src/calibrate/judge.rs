//! What steps tell: which count, and what a class should say. Pure.

use std::fmt;

use crate::spread::Spread;

/// IPv4 and UDP headers, which the viewers' bytes are without.
const HEADERS: f64 = 28.0;
/// Share of its threads' time from which the client side may be what is slow.
const CLIENT_BUSY: f64 = 0.8;
/// A client that looks so late, in milliseconds, loses time to somebody.
const CLIENT_LATE_MS: u64 = 100;
/// A server that delivers less of what its viewers should get has reached its limit.
const DELIVERED: f64 = 0.99;

/// One number of viewers at one relay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) viewers: usize,
    /// Over this time, in seconds.
    pub(super) seconds: f64,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) lost: u64,
    /// What the server used, in seconds of CPU for each second.
    pub(super) cpu: f64,
    /// What the viewers' program used, in seconds of CPU for each second and thread.
    pub(super) client_cpu: f64,
    /// How late the viewers' program was at worst, in milliseconds.
    pub(super) client_late_ms: u64,
}

/// What a step is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It counts.
    Valid,
    /// The client side was the bottleneck: it says nothing about the server.
    Void,
    /// The server did not deliver everything.
    Saturated,
}

impl Step {
    /// Packets to one viewer each second.
    fn rate(&self) -> f64 {
        self.packets as f64 / self.seconds / self.viewers as f64
    }

    /// Kilobits to one viewer each second, with all headers.
    fn kbps(&self) -> f64 {
        (self.bytes as f64 + self.packets as f64 * HEADERS) * 8.0 / 1000.0 / self.seconds / self.viewers as f64
    }

    /// Packets for each second of CPU.
    fn kappa(&self) -> f64 {
        self.packets as f64 / self.seconds / self.cpu.max(f64::EPSILON)
    }

    /// `full` is what one viewer should get each second, in packets.
    pub(super) fn verdict(&self, full: f64) -> Verdict {
        if self.client_cpu >= CLIENT_BUSY || self.client_late_ms >= CLIENT_LATE_MS {
            return Verdict::Void;
        }
        let sent = (self.packets + self.lost) as f64;
        if self.rate() < full * DELIVERED || (self.packets as f64) < sent * DELIVERED {
            return Verdict::Saturated;
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
pub(super) struct Figures {
    pub(super) steps: Vec<Step>,
    /// The relay's CPU without viewers, in seconds for each second.
    pub(super) idle: f64,
    /// The CPU limit of the relay, if it has one.
    pub(super) limit: Option<f64>,
    /// The SFU's CPU without further children.
    pub(super) sfu_idle: f64,
    pub(super) children: Vec<Children>,
}

impl Figures {
    /// Packets that one viewer gets each second when nothing is short: the most of any step that the client kept up with.
    fn full(&self) -> f64 {
        let kept_up = self.steps.iter().filter(|step| step.verdict(0.0) == Verdict::Valid);
        kept_up.map(Step::rate).fold(0.0, f64::max)
    }

    fn valid(&self) -> impl Iterator<Item = &Step> {
        let full = self.full();
        self.steps.iter().filter(move |step| step.verdict(full) == Verdict::Valid)
    }

    /// Packets for each second of CPU over the valid steps.
    pub(super) fn kappa(&self) -> Option<Spread> {
        let all: Spread = self.valid().map(Step::kappa).collect();
        (all.count() > 0).then_some(all)
    }

    /// Predicted and measured viewers of a relay with a CPU limit: those that the limit carries at the median κ, the most
    /// that got everything, and the fewest that did not.
    fn capacity(&self) -> Option<(f64, usize, usize)> {
        let full = self.full();
        let short = self.steps.iter().filter(|step| step.verdict(full) == Verdict::Saturated);
        let short = short.map(|step| step.viewers).min()?;
        let most = self.valid().map(|step| step.viewers).filter(|viewers| *viewers < short).max()?;
        Some((self.kappa()?.median() * self.limit? / full, most, short))
    }

    /// What one child costs: CPU seconds each second, and kbit/s.
    fn child(&self) -> Option<(Spread, Spread)> {
        let cpu: Spread =
            self.children.iter().map(|c| (c.cpu - self.sfu_idle) / c.count as f64).collect();
        let kbps: Spread = self.children.iter().map(|c| c.kbps / c.count as f64).collect();
        (cpu.count() > 0).then_some((cpu, kbps))
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let full = self.full();
        writeln!(f, "viewers  packets/s   relay CPU  packets per CPU second  kbit/s each  lost  client CPU, late")?;
        writeln!(f, "      0          –  {:>10.3}", self.idle)?;
        for step in &self.steps {
            let verdict = match step.verdict(full) {
                Verdict::Valid => "",
                Verdict::Void => "  void: the client side was the bottleneck",
                Verdict::Saturated => "  the relay's limit",
            };
            writeln!(
                f,
                "{:>7}  {:>9.0}  {:>10.3}  {:>22.0}  {:>11.0}  {:>4}  {:>6.0} %, {} ms{verdict}",
                step.viewers,
                step.packets as f64 / step.seconds,
                step.cpu,
                step.kappa(),
                step.kbps(),
                step.lost,
                step.client_cpu * 100.0,
                step.client_late_ms,
            )?;
        }
        if let Some((predicted, most, short)) = self.capacity() {
            writeln!(
                f,
                "capacity at a limit of {:.2} CPUs: {predicted:.0} viewers predicted, {most} got everything, {short} did not",
                self.limit.unwrap_or_default()
            )?;
        }
        if !self.children.is_empty() {
            writeln!(f, "\nchildren  SFU CPU  kbit/s more\n       0  {:>7.3}", self.sfu_idle)?;
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

impl Figures {
    /// Class values, with the careful end of each spread.
    fn values(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(kappa) = self.kappa() else {
            return writeln!(f, "\nNo step is valid: use fewer viewers, or another machine for them.");
        };
        let most = |of: fn(&Step) -> f64| self.valid().map(of).fold(0.0, f64::max);
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
                kbps.most().ceil(),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(viewers: usize, delivered: f64, cpu: f64) -> Step {
        Step {
            viewers,
            seconds: 10.0,
            packets: (viewers as f64 * 2000.0 * delivered) as u64,
            bytes: (viewers as f64 * 2000.0 * delivered * 1000.0) as u64,
            lost: 0,
            cpu,
            client_cpu: 0.3,
            client_late_ms: 5,
        }
    }

    #[test]
    fn busy_and_late_clients_make_a_step_void() {
        let busy = Step { client_cpu: 0.9, ..step(100, 0.5, 0.5) };
        let late = Step { client_late_ms: 150, ..step(100, 0.5, 0.5) };
        assert_eq!(busy.verdict(200.0), Verdict::Void);
        assert_eq!(late.verdict(200.0), Verdict::Void);
        assert_eq!(step(100, 0.5, 0.5).verdict(200.0), Verdict::Saturated);
        assert_eq!(step(100, 1.0, 0.5).verdict(200.0), Verdict::Valid);
    }

    #[test]
    fn lost_packets_are_the_server_s_limit() {
        let lossy = Step { lost: 5_000, ..step(100, 1.0, 0.5) };
        assert_eq!(lossy.verdict(200.0), Verdict::Saturated);
    }

    #[test]
    fn void_and_saturated_steps_count_for_nothing() {
        let figures = Figures {
            steps: vec![
                step(10, 1.0, 0.1),
                step(20, 1.0, 0.25),
                step(40, 0.8, 0.25),
                Step { client_cpu: 0.9, ..step(80, 1.0, 0.1) },
            ],
            limit: Some(0.3),
            ..Figures::default()
        };
        let kappa = figures.kappa().expect("valid steps");
        assert_eq!((kappa.count(), kappa.least(), kappa.most()), (2, 16_000.0, 20_000.0));
        // 20,000 packets a CPU second · 0.3 CPUs / 200 packets.
        assert_eq!(figures.capacity(), Some((30.0, 20, 40)));
        let text = figures.to_string();
        assert!(text.contains("packetsPerSecondPerCPU: 16000"), "{text}");
        assert!(text.contains("void: the client side") && text.contains("the relay's limit"), "{text}");
    }

    #[test]
    fn a_child_costs_what_it_adds() {
        let figures = Figures {
            steps: vec![step(10, 1.0, 0.1)],
            sfu_idle: 0.01,
            children: vec![
                Children { count: 2, cpu: 0.03, kbps: 2_000.0 },
                Children { count: 4, cpu: 0.05, kbps: 4_400.0 },
            ],
            ..Figures::default()
        };
        let text = figures.to_string();
        assert!(text.contains("packetsPerSecond: 200\n      bitrateKbps: 1100"), "{text}");
    }

    #[test]
    fn without_a_valid_step_no_value_is_told() {
        let figures = Figures {
            steps: vec![Step { client_cpu: 1.0, ..step(10, 1.0, 0.1) }],
            ..Figures::default()
        };
        let text = figures.to_string();
        assert!(text.contains("No step is valid") && !text.contains("packetsPerSecondPerCPU"), "{text}");
    }
}
