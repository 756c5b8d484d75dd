//! Tiers and durations.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::json;
use webinar_api::{Duration, SfuCounts, Tier};

#[test]
fn tiers_are_ordered_and_read_what_they_write() {
    assert!(Tier::ALL.is_sorted());
    assert!(Tier::ALL.map(Tier::attendees).is_sorted());
    assert_eq!(Tier::ALL.map(Tier::attendees)[0], 50);
    for tier in Tier::ALL {
        assert_eq!(tier.to_string().parse(), Ok(tier));
        assert_eq!(json!(tier), json!(tier.as_str()));
        assert_eq!(
            serde_json::from_value::<Tier>(json!(tier.as_str())).unwrap(),
            tier
        );
    }
    let error = "1m".parse::<Tier>().unwrap_err().to_string();
    assert_eq!(
        error,
        "`1m` is not a tier: use room, 10k, 50k, 100k, 250k, 500k or 1M"
    );
}

#[test]
fn sfu_counts_are_merged_over_the_defaults() {
    let counts: SfuCounts = serde_json::from_value(json!({"10k": 4})).unwrap();
    assert_eq!(Tier::ALL.map(|tier| counts.of(tier)), [1, 4, 2, 3, 3, 3, 3]);
}

#[test]
fn durations_are_written_canonically() {
    for (text, canonical) in [
        ("60m", "1h"),
        ("90m", "1h30m"),
        ("1h1h", "2h"),
        ("0h", "0s"),
        ("0s", "0s"),
        ("90s", "1m30s"),
        ("1500ms", "1s500ms"),
        ("72h", "72h"),
        ("99999h99999h99999h99999h", "399996h"),
        ("00005m", "5m"),
    ] {
        assert_eq!(text.parse::<Duration>().unwrap().to_string(), canonical);
    }
}

#[test]
fn other_texts_are_no_durations() {
    for text in [
        "", "0", "60", "h", "1.5h", "-1h", "+1h", "1us", "1ns", "1d", "100000s", "1h 1m", "1H", "٣h", "1m\n",
    ] {
        let error = text.parse::<Duration>().unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("`{text}` is not a duration")),
            "{error}"
        );
    }
    assert!("1h1h1h1h1h".parse::<Duration>().is_err());
}

proptest! {
    #[test]
    fn every_matching_text_is_read_and_means_the_same_when_written(
        text in Duration::PATTERN.trim_start_matches('^').trim_end_matches('$')
    ) {
        let duration: Duration = text.parse().unwrap();
        prop_assert!(text.len() <= Duration::MAX_LENGTH as usize);
        let upstream: kube::core::Duration = text.parse().unwrap();
        prop_assert_eq!(std::time::Duration::from(upstream), duration.as_std());
        // Written out, more than 99999 hours have too many digits to be read again.
        if duration.as_secs() / 3600 <= 99_999 {
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,40}") {
        let _ = text.parse::<Duration>();
        let _ = text.parse::<Tier>();
    }
}
