//! The one line that a person reads at the end.

use std::fmt;

use crate::report::Report;

/// Displays a report as one line.
#[derive(Debug)]
pub struct Summary<'a>(pub &'a Report);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { viewers, total, .. } = self.0;
        let mut packets_per_second = 0.0;
        let mut kbits_per_second = 0.0;
        let mut watching = 0;
        let mut longest_gap_ms = 0;
        for viewer in viewers {
            longest_gap_ms = longest_gap_ms.max(viewer.longest_gap_ms);
            if let (Some(first), Some(last)) = (viewer.first_packet_ms, viewer.last_packet_ms)
                && last > first
            {
                watching += 1;
                let ms = (last - first) as f64;
                packets_per_second += viewer.packets as f64 * 1000.0 / ms;
                kbits_per_second += viewer.bytes as f64 * 8.0 / ms;
            }
        }
        write!(
            f,
            "{} viewers, {} connected: {packets_per_second:.0} packets/s, {:.0} kbit/s per viewer, {:.3} % lost, \
             {} reconnects, longest gap {longest_gap_ms} ms",
            total.wanted,
            total.connected,
            kbits_per_second / f64::from(watching.max(1)),
            100.0 * total.lost as f64 / (total.packets + total.lost).max(1) as f64,
            total.reconnects,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Process, Total, Viewer};

    #[test]
    fn rates_are_those_of_the_time_that_was_watched() {
        let viewer = |packets, bytes, last_ms| Viewer {
            connected: true,
            packets,
            bytes,
            first_packet_ms: Some(1000),
            last_packet_ms: Some(last_ms),
            longest_gap_ms: 40,
            ..Viewer::default()
        };
        let viewers = vec![
            viewer(998, 250_000, 3000),
            viewer(1000, 250_000, 2000),
            Viewer::default(),
        ];
        let mut report = Report {
            time_ms: 3000,
            total: Total::of(&viewers),
            viewers,
            process: Process {
                cpu_seconds: None,
                late_ms: 0,
                threads: 1,
            },
        };
        report.total.lost = 2;
        assert_eq!(
            Summary(&report).to_string(),
            "3 viewers, 2 connected: 1499 packets/s, 1500 kbit/s per viewer, 0.100 % lost, 0 reconnects, \
             longest gap 40 ms"
        );
    }
}
