//! Keys of labels and annotations.
//!
//! Keys without a note are labels on the objects the operator creates.

/// Name of the Webinar an object belongs to.
pub const WEBINAR: &str = "webinar-operator.io/webinar";
/// UID of the Webinar an object belongs to. Every selector contains it.
pub const WEBINAR_UID: &str = "webinar-operator.io/webinar-uid";
/// Run the object was created for.
pub const RUN: &str = "webinar-operator.io/run";
/// Role of a pod: `sfu`, `mid` or `relay`.
pub const ROLE: &str = "webinar-operator.io/role";
/// Slot of a pod, for example `relay-231`. Removed when the pod is declared lost.
pub const SLOT: &str = "webinar-operator.io/slot";
/// Shard of the viewers Services a relay belongs to.
pub const SHARD: &str = "webinar-operator.io/shard";
/// Slot of the pod's parent, or `origin`.
pub const PARENT: &str = "webinar-operator.io/parent";
/// `"true"` on a pod that takes new viewers. Removed to cordon the pod.
pub const ACCEPTING: &str = "webinar-operator.io/accepting";

/// Label of a Service: which address of the event it is, such as `ingest`. Its EndpointSlices have it too.
pub const ENTRY: &str = "webinar-operator.io/entry";

/// Annotation of a pod: name of the ControllerRevision it was built from.
pub const REVISION: &str = "webinar-operator.io/revision";
/// Annotation of a pod: slots of its fallback parents, comma-separated.
pub const FALLBACK_PARENTS: &str = "webinar-operator.io/fallback-parents";
/// Annotation of a pod: when its drain began, RFC 3339.
pub const DRAIN_START: &str = "webinar-operator.io/drain-start";

/// Annotation of a pod that was taken out of its entry point: why, `Drain`, `Shrink` or `Health`.
pub const CORDONED_FOR: &str = "webinar-operator.io/cordoned-for";

/// Annotation of a pod that was declared lost: the slot that it had.
pub const LOST_SLOT: &str = "webinar-operator.io/lost-slot";

/// Annotation of a run's ControllerRevision: hash of its data, first 16 hex digits of SHA-256.
pub const CONTENT_HASH: &str = "webinar-operator.io/content-hash";
/// Annotation of a run's ControllerRevision: the accepted spec, as JSON.
pub const ACCEPTED_SPEC: &str = "webinar-operator.io/accepted-spec";
/// Annotation of a run's ControllerRevision: when every seat was first Ready, RFC 3339.
pub const READY_AT: &str = "webinar-operator.io/ready-at";
/// Annotation of a run's ControllerRevision: when the run began to give capacity back, RFC 3339.
pub const DRAINING_SINCE: &str = "webinar-operator.io/draining-since";
/// Annotation of a run's ControllerRevision: when the run went live, RFC 3339.
pub const LIVE_SINCE: &str = "webinar-operator.io/live-since";
/// Annotation of a run's ControllerRevision: when the run finished, RFC 3339.
pub const FINISHED_AT: &str = "webinar-operator.io/finished-at";
/// Annotation of a run's ControllerRevision: since when its start has been far away, RFC 3339.
pub const POSTPONED_AT: &str = "webinar-operator.io/postponed-at";
/// Annotation of a run's ControllerRevision: since when the run is suspended, RFC 3339.
pub const SUSPENDED_SINCE: &str = "webinar-operator.io/suspended-since";
/// Annotation of a run's ControllerRevision: when the run was last resumed, RFC 3339.
pub const RESUMED_AT: &str = "webinar-operator.io/resumed-at";
/// Annotation of a run's ControllerRevision: most relays that it was to have.
pub const MOST_RELAYS: &str = "webinar-operator.io/most-relays";
/// Annotation of a run's ControllerRevision: most viewers at once, as far as they were counted.
pub const PEAK_ATTENDEES: &str = "webinar-operator.io/peak-attendees";
/// Annotation of a run's ControllerRevision: what happened to its media, as JSON.
pub const INCIDENTS: &str = "webinar-operator.io/incidents";
/// Annotation of a run's ControllerRevision: the last change of the active SFU, as JSON.
pub const FAILOVER: &str = "webinar-operator.io/failover";
/// Annotation of a run's ControllerRevision: the shape of its tree, as JSON.
pub const SHAPE: &str = "webinar-operator.io/shape";

/// Annotation of a WebinarClass: `"true"` makes it serve Webinars without `className`.
pub const IS_DEFAULT_CLASS: &str = "webinar-operator.io/is-default-class";

/// Annotation of a Webinar: `"true"` lets it be deleted while it is on air or has viewers.
pub const ALLOW_DELETE: &str = "webinar-operator.io/allow-delete";

/// Well-known label: name of the application.
pub const APP_NAME: &str = "app.kubernetes.io/name";
/// Well-known label: the tool that manages the object.
pub const APP_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Well-known label: the larger application the object is part of.
pub const APP_PART_OF: &str = "app.kubernetes.io/part-of";

/// Annotation of a pod that keeps Karpenter from disrupting its node.
pub const KARPENTER_DO_NOT_DISRUPT: &str = "karpenter.sh/do-not-disrupt";
/// Annotation of a pod that keeps the cluster autoscaler from evicting it, when `"false"`.
pub const AUTOSCALER_SAFE_TO_EVICT: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict";
