//! One tenant's crowd, and a neighbour.

use serde_json::json;

use crate::scenario::{Cluster, Happening, Scenario, What};
use crate::time::{MINUTE, Moment, SECOND};

/// So many Webinars appear in one namespace at the same moment, and one in another a moment later. Few writes a second are
/// allowed, so that they have to wait for each other.
pub fn flood(webinars: u64) -> Scenario {
    let calm_from = Moment(5 * MINUTE);
    let event = |webinar: String, at: Moment, start: Moment| Happening {
        at,
        what: What::Create {
            webinar,
            start: Some(start),
            spec: json!({"tier": "room", "className": "rooms", "duration": "10m"}),
        },
    };
    let (applied, start) = (Moment(MINUTE), Moment(2 * MINUTE));
    let crowd = (0..webinars).map(|n| event(format!("blue/room-{n}"), applied, start));
    let neighbour = event("red/room".to_owned(), applied.after(1), Moment(4 * MINUTE));
    Scenario {
        seed: 1,
        until: Moment(calm_from.0 + SECOND),
        calm_from,
        cluster: Cluster {
            zones: 3,
            room: 300,
            most: 300,
            node_after: 10,
            pull: [1, 5],
            startup: [1, 5],
        },
        lease: [15, 10, 3],
        limits: [4, 4],
        happenings: crowd.chain([neighbour]).collect(),
    }
}
