//! From series to figures: the sum of some without others, as the class maps them.

use jiff::Timestamp;
use webinar_api as api;
use webinar_plan::{Reading, Sample};

use super::failure::Failure;
use super::text::{self, Labels, Lines};

/// Most series of mapped metrics in one answer.
const MAX_SERIES: usize = 10_000;

/// Most that any series or figure may say: floats count exactly up to here.
const MOST: u64 = 1 << 53;

/// Most viewers of one pod.
pub(super) const MOST_VIEWERS: u64 = 10_000_000;

/// How the figures of a class are made of series.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    /// Viewers, bytes received, bytes sent.
    figures: [Option<api::Figure>; 3],
}

impl Mapping {
    /// The mapping of a class.
    pub(super) fn of(metrics: &api::PodMetrics) -> Self {
        let (viewers, bytes_in, bytes_out) = (&metrics.viewers, &metrics.bytes_in, &metrics.bytes_out);
        Self {
            figures: [Some(viewers.clone()), bytes_in.clone(), bytes_out.clone()],
        }
    }

    fn names(&self, metric: &[u8]) -> bool {
        let figures = self.figures.iter().flatten();
        let mut all = figures.flat_map(|f| f.sum.iter().chain(&f.minus));
        all.any(|s| s.metric.as_bytes() == metric)
    }
}

/// What an answer has told so far.
#[derive(Debug)]
pub(super) struct Tally<'a> {
    mapping: &'a Mapping,
    lines: Lines,
    count: Count,
}

#[derive(Debug, Default)]
struct Count {
    sums: [Sum; 3],
    series: usize,
}

#[derive(Debug, Default)]
struct Sum {
    /// Nothing until a series was there.
    plus: Option<u128>,
    minus: u128,
    absurd: bool,
}

impl<'a> Tally<'a> {
    /// Nothing told yet.
    pub(super) fn new(mapping: &'a Mapping) -> Self {
        Self {
            mapping,
            lines: Lines::default(),
            count: Count::default(),
        }
    }

    /// Takes in the next part of the answer.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        let (mapping, count) = (self.mapping, &mut self.count);
        self.lines.push(chunk, |line| count.line(mapping, line))
    }

    /// What the whole answer says, given at `at`.
    ///
    /// A server may leave out viewers of a kind that nobody uses. So an answer with any mapped metric and no series of
    /// viewers says that there are none, while bytes that are not spoken of are missing.
    pub(super) fn finish(self, at: Timestamp) -> Result<Sample, Failure> {
        let Self {
            mapping,
            lines,
            mut count,
        } = self;
        lines.finish(|line| count.line(mapping, line))?;
        let Count { mut sums, series } = count;
        if series > 0 {
            sums[0].plus.get_or_insert(0);
        }
        let [viewers, bytes_in, bytes_out] = sums;
        Ok(Sample {
            at,
            viewers: viewers.reading(MOST_VIEWERS),
            bytes_in: bytes_in.reading(MOST),
            bytes_out: bytes_out.reading(MOST),
        })
    }
}

impl Count {
    fn line(&mut self, mapping: &Mapping, line: &[u8]) -> Result<(), Failure> {
        let Some((metric, rest)) = text::name(line).filter(|(metric, _)| mapping.names(metric)) else {
            return Ok(());
        };
        self.series += 1;
        if self.series > MAX_SERIES {
            return Err(Failure::TooLarge);
        }
        let series = text::series(rest)?;
        for (sum, figure) in self.sums.iter_mut().zip(&mapping.figures) {
            let Some(figure) = figure else { continue };
            let fits = |of: &[api::Series]| of.iter().any(|wanted| fits(wanted, metric, &series.labels));
            sum.add(fits(&figure.sum), fits(&figure.minus), series.value);
        }
        Ok(())
    }
}

impl Sum {
    fn add(&mut self, plus: bool, minus: bool, value: f64) {
        if !plus && !minus {
            return;
        }
        let Some(value) = whole(value).map(u128::from) else {
            self.absurd = true;
            return;
        };
        // 10,000 values of 53 bits fit.
        if plus {
            *self.plus.get_or_insert(0) += value;
        }
        if minus {
            self.minus += value;
        }
    }

    fn reading(self, most: u64) -> Reading {
        if self.absurd {
            return Reading::Absurd;
        }
        let Some(plus) = self.plus else {
            return Reading::Missing;
        };
        let left = plus.checked_sub(self.minus).and_then(|n| u64::try_from(n).ok());
        left.filter(|n| *n <= most)
            .map_or(Reading::Absurd, Reading::Value)
    }
}

/// A count, if it can be one: a number, not negative, not beyond what floats count exactly.
fn whole(value: f64) -> Option<u64> {
    // Not a number is in no range. The cast can't lose anything within this one.
    (0.0..=MOST as f64).contains(&value).then(|| value.round() as u64)
}

/// One value as a figure that may be `most`.
pub(super) fn reading(value: f64, most: u64) -> Reading {
    let known = whole(value).filter(|n| *n <= most);
    known.map_or(Reading::Absurd, Reading::Value)
}

/// Most bytes that a counter may show.
pub(super) const MOST_BYTES: u64 = MOST;

fn fits(wanted: &api::Series, metric: &[u8], labels: &Labels<'_>) -> bool {
    wanted.metric.as_bytes() == metric
        && wanted.r#match.iter().all(|(name, values)| {
            // A label that is not there has the empty value, as in Prometheus.
            let label = labels.iter().find(|(n, _)| *n == name.as_bytes());
            let value = label.map_or(&b""[..], |(_, v)| v.as_ref());
            values.iter().any(|v| v.as_bytes() == value)
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::Reading::{Absurd, Missing, Value};
    use super::*;

    fn series(metric: &str, matches: &[(&str, &[&str])]) -> api::Series {
        let values = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect();
        api::Series {
            metric: metric.to_owned(),
            r#match: matches
                .iter()
                .map(|(k, v)| ((*k).to_owned(), values(v)))
                .collect(),
        }
    }

    fn sum(of: Vec<api::Series>) -> api::Figure {
        api::Figure {
            sum: of,
            minus: Vec::new(),
        }
    }

    /// As the MediaMTX preset maps it.
    pub(in crate::scrape) fn mediamtx() -> Mapping {
        let readers = series(
            "paths_readers",
            &[("readerType", &["webRTCSession", "hlsSession"])],
        );
        Mapping {
            figures: [
                Some(sum(vec![readers])),
                Some(sum(vec![series("paths_inbound_bytes", &[])])),
                Some(sum(vec![series("paths_outbound_bytes", &[])])),
            ],
        }
    }

    /// Viewers, bytes in and bytes out of an answer.
    fn told(mapping: &Mapping, text: &str) -> Result<[Reading; 3], Failure> {
        let mut tally = Tally::new(mapping);
        tally.push(text.as_bytes())?;
        let sample = tally.finish(Timestamp::UNIX_EPOCH)?;
        Ok([sample.viewers, sample.bytes_in, sample.bytes_out])
    }

    #[test]
    fn labels_that_are_not_named_are_summed_over() {
        let text = r#"# TYPE paths gauge
paths{name="stage",state="ready"} 1
paths_readers{name="stage",readerType="webRTCSession",state="ready"} 300
paths_readers{name="stage",readerType="webRTCSession",state="notReady"} 20
paths_readers{name="stage",readerType="hlsSession",state="ready"} 5
paths_readers{name="stage",readerType="rtspSession",state="ready"} 27
paths_inbound_bytes{name="stage",state="ready"} 1e6
paths_inbound_bytes{name="stage",state="notReady"} 17
paths_inbound_bytes_other 5
"#;
        assert_eq!(
            told(&mediamtx(), text),
            Ok([Value(325), Value(1_000_017), Missing])
        );
    }

    /// Answers of MediaMTX 1.19.3 with the preset's configuration, read with the preset's own mapping: the questions of the
    /// kubelet, which are readers and bytes of another path, are neither viewers nor media.
    #[test]
    fn only_the_stage_counts_in_what_a_real_server_answers() {
        let preset = include_str!("../../../../charts/webinar-operator/files/presets/mediamtx.yaml");
        let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(preset).expect("YAML");
        let class = documents
            .iter()
            .find(|document| document["kind"] == "WebinarClass");
        let metrics = class.expect("a class")["spec"]["attendance"]["podMetrics"].clone();
        let mapping = Mapping::of(&serde_json::from_value(metrics).expect("a mapping"));
        let probe = r#"# Paths
paths{name="probe",state="ready"} 1
paths_readers{name="probe",readerType="hlsSession",state="ready"} 7
paths_inbound_bytes{name="probe",state="ready"} 31350
paths_outbound_bytes{name="probe",state="ready"} 129150
paths_inbound_frames_in_error{name="probe",state="ready"} 0
"#;
        let idle = r#"paths{name="stage",state="notReady"} 1
paths_readers{name="stage",readerType="",state="notReady"} 0
paths_inbound_bytes{name="stage",state="notReady"} 0
paths_outbound_bytes{name="stage",state="notReady"} 0
"#;
        let watched = r#"paths{name="stage",state="ready"} 1
paths_readers{name="stage",readerType="webRTCSession",state="ready"} 3
paths_readers{name="stage",readerType="rtspSession",state="ready"} 2
paths_inbound_bytes{name="stage",state="ready"} 184713
paths_outbound_bytes{name="stage",state="ready"} 554139
paths_bytes_received{name="stage",state="ready"} 184713
paths_bytes_sent{name="stage",state="ready"} 554139
"#;
        assert_eq!(
            told(&mapping, &format!("{probe}{idle}")),
            Ok([Value(0), Value(0), Value(0)])
        );
        assert_eq!(
            told(&mapping, &format!("{probe}{watched}")),
            Ok([Value(3), Value(184_713), Value(554_139)])
        );
    }

    #[test]
    fn nobody_watches_where_the_server_leaves_viewers_out() {
        let idle = "paths_inbound_bytes{name=\"stage\"} 5\n";
        assert_eq!(told(&mediamtx(), idle), Ok([Value(0), Value(5), Missing]));
        let relays = "paths_readers{readerType=\"rtspSession\"} 27\n";
        assert_eq!(told(&mediamtx(), relays), Ok([Value(0), Missing, Missing]));
        for other in ["", "up 1\n", "<html><body>Welcome</body></html>"] {
            assert_eq!(told(&mediamtx(), other), Ok([Missing; 3]), "{other}");
        }
    }

    #[test]
    fn who_came_without_who_left() {
        let figure = api::Figure {
            sum: vec![series("opened", &[])],
            minus: vec![series("closed", &[("role", &["viewer"])])],
        };
        let mapping = Mapping {
            figures: [Some(figure), None, None],
        };
        let viewers = |text: &str| told(&mapping, text).map(|[viewers, ..]| viewers);
        assert_eq!(
            viewers("opened 10\nclosed{role=\"viewer\"} 4\nclosed 99\n"),
            Ok(Value(6))
        );
        assert_eq!(viewers("opened 10\n"), Ok(Value(10)));
        assert_eq!(viewers("opened 3\nclosed{role=\"viewer\"} 4\n"), Ok(Absurd));
    }

    #[test]
    fn what_cannot_be_is_absurd_and_spoils_only_its_own_figure() {
        for value in ["NaN", "-1", "+Inf", "-Inf", "1e300", "9007199254740993e3", "-0.5"] {
            let text =
                format!("paths_inbound_bytes 7\npaths_outbound_bytes {value}\npaths_outbound_bytes 1\n");
            assert_eq!(
                told(&mediamtx(), &text),
                Ok([Value(0), Value(7), Absurd]),
                "{value}"
            );
        }
        let crowd = |n: u64| format!("paths_readers{{readerType=\"hlsSession\"}} {n}\n");
        assert_eq!(
            told(&mediamtx(), &crowd(10_000_000)).unwrap()[0],
            Value(10_000_000)
        );
        assert_eq!(told(&mediamtx(), &crowd(10_000_001)).unwrap()[0], Absurd);
        let sum = "paths_inbound_bytes 9007199254740992\n".repeat(2);
        assert_eq!(
            told(&mediamtx(), &sum).unwrap()[1],
            Absurd,
            "each may be, the sum may not"
        );
        assert_eq!(
            told(&mediamtx(), "paths_inbound_bytes -0\n").unwrap()[1],
            Value(0)
        );
    }

    #[test]
    fn a_flood_of_series_ends_the_answer() {
        let flood = |n: usize| -> String {
            (0..n)
                .map(|i| format!("paths_inbound_bytes{{id=\"{i}\"}} 1\n"))
                .collect()
        };
        assert_eq!(told(&mediamtx(), &flood(MAX_SERIES)).unwrap()[1], Value(10_000));
        assert_eq!(told(&mediamtx(), &flood(MAX_SERIES + 1)), Err(Failure::TooLarge));
        let others = flood(MAX_SERIES + 1)
            .lines()
            .map(|l| format!("x{l}\n"))
            .collect::<String>();
        assert_eq!(
            told(&mediamtx(), &others),
            Ok([Missing; 3]),
            "nobody asked for these"
        );
    }

    #[test]
    fn a_broken_line_counts_only_where_it_is_asked_for() {
        assert_eq!(
            told(&mediamtx(), "paths_inbound_bytes{a=1} 1"),
            Err(Failure::Malformed)
        );
        let text = "other{a=1} x\npaths_inbound_bytes 3";
        assert_eq!(
            told(&mediamtx(), text).unwrap()[1],
            Value(3),
            "and no end of line is needed"
        );
    }

    fn escaped(value: &str) -> String {
        value.chars().fold(String::new(), |mut text, c| {
            match c {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                c => text.push(c),
            }
            text
        })
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_can_break_it(body in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let mapping = mediamtx();
            let mut tally = Tally::new(&mapping);
            if tally.push(&body).is_ok() {
                let _ = tally.finish(Timestamp::UNIX_EPOCH);
            }
        }

        #[test]
        fn nothing_that_follows_a_wanted_name_can_break_it(rest in "[{}=\",\\\\ a-c0-9.eNI+-]{0,40}") {
            let text = format!("paths_inbound_bytes{rest}\n");
            if let Ok([viewers, _, bytes_out]) = told(&mediamtx(), &text) {
                prop_assert_eq!((viewers == Missing, bytes_out), (viewers != Value(0), Missing));
            }
        }

        #[test]
        fn what_is_written_is_read_back_however_it_arrives(
            rows in prop::collection::vec((any::<bool>(), ".{0,20}", 0_u64..1_000_000), 1..40),
            wanted in ".{0,20}",
            cut in 1_usize..50,
        ) {
            let row = |(fits, other, n): &(bool, String, u64)| {
                let value = if *fits { &wanted } else { other };
                format!("readers{{x=\"\",kind=\"{}\",}} {n}\nnoise{{}} 3\n", escaped(value))
            };
            let text: String = rows.iter().map(row).collect();
            let expected = rows.iter().filter(|(fits, other, _)| *fits || *other == wanted);
            let expected: u64 = expected.map(|(_, _, n)| n).sum();
            let kinds = BTreeMap::from([("kind".to_owned(), vec![wanted.clone()])]);
            let readers = api::Series { metric: "readers".to_owned(), r#match: kinds };
            let mapping = Mapping { figures: [Some(sum(vec![readers])), None, None] };
            let mut tally = Tally::new(&mapping);
            for piece in text.as_bytes().chunks(cut) {
                tally.push(piece).expect("a good answer");
            }
            let sample = tally.finish(Timestamp::UNIX_EPOCH).expect("a good answer");
            let expected = if expected > MOST_VIEWERS { Absurd } else { Value(expected) };
            prop_assert_eq!(sample.viewers, expected);
        }
    }
}
