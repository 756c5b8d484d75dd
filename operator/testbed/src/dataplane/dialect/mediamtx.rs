//! `MediaMTX`'s words, as v1.19.3 says them with the preset's two paths.

use std::fmt::Write as _;

use super::Figures;

/// What the path `probe` takes in, in bytes per second: silence in Opus.
const PROBE: u64 = 750;
/// How many times the probe's bytes a kubelet that asks for them has sent to it.
const ASKED: u64 = 4;
/// Seconds between two questions of a kubelet; each is a session that lasts for a while.
const QUESTIONS: u64 = 5;

struct Path<'a> {
    name: &'static str,
    state: &'static str,
    readers: Vec<(&'static str, &'a str)>,
    inbound: &'a str,
    outbound: &'a str,
}

/// The whole answer to a scrape. There are no types in it.
pub(super) fn text(figures: &Figures, viewers: &str, inbound: &str, outbound: &str) -> String {
    let (probe_in, probe_out) = probe_bytes(figures);
    let (asking, children) = (asking(figures).to_string(), figures.children.to_string());
    let paths = [
        Path {
            name: "probe",
            state: "ready",
            readers: vec![("hlsSession", &asking), ("rtspSession", &children)],
            inbound: &probe_in,
            outbound: &probe_out,
        },
        Path {
            name: "stage",
            state: if figures.ready { "ready" } else { "notReady" },
            readers: vec![("rtspSession", &children), ("webRTCSession", viewers)],
            inbound,
            outbound,
        },
    ];
    let mut text = "# Paths\n".to_owned();
    paths.iter().for_each(|path| path.tell(&mut text));
    text.push_str("\n# Paths (deprecated)\n");
    paths.iter().for_each(|path| path.tell_again(&mut text));
    text.push('\n');
    text
}

/// Silence flows as long as the process runs, whoever presents.
fn probe_bytes(figures: &Figures) -> (String, String) {
    let inbound = figures.running * PROBE;
    let outbound = if figures.pulls { inbound * ASKED } else { inbound };
    (inbound.to_string(), outbound.to_string())
}

/// Sessions of the kubelet, which asks mids and relays: 3 to 7 of them.
fn asking(figures: &Figures) -> u64 {
    if figures.pulls {
        3 + figures.running / QUESTIONS % 5
    } else {
        0
    }
}

impl Path<'_> {
    /// A kind of readers that nobody is of has no series, and without any readers there is one of no kind.
    fn tell(&self, text: &mut String) {
        let labels = self.labels();
        let _ = writeln!(text, "paths{{{labels}}} 1");
        let mut readers = self.readers.clone();
        readers.retain(|(_, count)| *count != "0");
        if readers.is_empty() {
            readers.push(("", "0"));
        }
        for (kind, count) in readers {
            let _ = writeln!(
                text,
                "paths_readers{{name=\"{}\",readerType=\"{kind}\",state=\"{}\"}} {count}",
                self.name, self.state
            );
        }
        let (inbound, outbound) = (self.inbound, self.outbound);
        let _ = write!(
            text,
            "paths_inbound_bytes{{{labels}}} {inbound}\npaths_outbound_bytes{{{labels}}} {outbound}\n\
             paths_inbound_frames_in_error{{{labels}}} 0\n"
        );
    }

    /// Counters under their old names.
    fn tell_again(&self, text: &mut String) {
        let (labels, inbound, outbound) = (self.labels(), self.inbound, self.outbound);
        let _ = write!(
            text,
            "paths_bytes_received{{{labels}}} {inbound}\npaths_bytes_sent{{{labels}}} {outbound}\n"
        );
    }

    fn labels(&self) -> String {
        format!("name=\"{}\",state=\"{}\"", self.name, self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(ready: bool) -> Figures {
        Figures {
            ready,
            viewers: 0,
            opened: 0,
            children: 0,
            publishers: 0,
            inbound: 0,
            outbound: 0,
            pulls: true,
            running: 21,
        }
    }

    #[test]
    fn a_relay_with_a_viewer_answers_as_real_ones_do() {
        let real = "\
# Paths
paths{name=\"probe\",state=\"ready\"} 1
paths_readers{name=\"probe\",readerType=\"hlsSession\",state=\"ready\"} 7
paths_inbound_bytes{name=\"probe\",state=\"ready\"} 15750
paths_outbound_bytes{name=\"probe\",state=\"ready\"} 63000
paths_inbound_frames_in_error{name=\"probe\",state=\"ready\"} 0
paths{name=\"stage\",state=\"ready\"} 1
paths_readers{name=\"stage\",readerType=\"webRTCSession\",state=\"ready\"} 1
paths_inbound_bytes{name=\"stage\",state=\"ready\"} 184713
paths_outbound_bytes{name=\"stage\",state=\"ready\"} 184713
paths_inbound_frames_in_error{name=\"stage\",state=\"ready\"} 0

# Paths (deprecated)
paths_bytes_received{name=\"probe\",state=\"ready\"} 15750
paths_bytes_sent{name=\"probe\",state=\"ready\"} 63000
paths_bytes_received{name=\"stage\",state=\"ready\"} 184713
paths_bytes_sent{name=\"stage\",state=\"ready\"} 184713

";
        assert_eq!(text(&relay(true), "1", "184713", "184713"), real);
    }

    #[test]
    fn without_a_source_only_silence_flows() {
        let text = text(&relay(false), "0", "0", "0");
        assert!(text.contains("\npaths_readers{name=\"stage\",readerType=\"\",state=\"notReady\"} 0\n"));
        assert!(text.contains("\npaths_inbound_bytes{name=\"stage\",state=\"notReady\"} 0\n"));
        assert!(text.contains("\npaths_inbound_bytes{name=\"probe\",state=\"ready\"} 15750\n"));
    }
}
