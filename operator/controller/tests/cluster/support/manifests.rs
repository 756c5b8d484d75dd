//! Classes, templates and Webinars. Times are short; sizes are the real ones.

/// Where the operator and its PodTemplates live.
pub(crate) const OPERATOR_NAMESPACE: &str = "webinar-system";

/// A class for 1M in waves of 300, eight seconds apart: 3 SFUs, 27 mids, 1212 relays of 15 CPUs.
pub(crate) const FULL: &str = "
  templates: {sfu: media-sfu, relay: media-relay}
  ramp:
    waveSize: 300
    waveInterval: 8s
    safetyPercent: 100
    readyBefore: 0s
    settle: {nodeStartup: 0s, imagePull: 0s, podStartup: 20s, upstream: 0s, loadBalancer: 0s}
  live: {floorAfterStart: 0s, overrun: 0s, drainTimeout: 5s}
";

/// How a short event ends: at once, with five seconds for its viewers.
const BRIEF: &str = "floorAfterStart: 0s, overrun: 0s, drainTimeout: 5s";

/// A class that serves 10k with a tree of its own: 2 SFUs, 3 mids (a parent feeds 8) and 15 relays. What its waves and its
/// end are like is in flow style.
pub(crate) fn small_tree(waves: &str, live: &str) -> String {
    format!(
        "
  templates: {{sfu: media-sfu, relay: media-relay}}
  maxTier: 10k
  sizing: {{fanOut: 8}}
  ramp:
    {{{waves}, safetyPercent: 100, readyBefore: 0s,
    settle: {{nodeStartup: 0s, imagePull: 0s, podStartup: 5s, upstream: 0s, loadBalancer: 0s}}}}
  live: {{{live}}}
"
    )
}

/// [`small_tree`] in one wave.
pub(crate) fn tiny() -> String {
    small_tree("waveInterval: 1s", BRIEF)
}

/// [`small_tree`] in three waves, six seconds apart: 2 SFUs, 3 mids and 3 relays, then 8 relays, then 4.
pub(crate) fn steps() -> String {
    small_tree("waveSize: 8, waveInterval: 6s", BRIEF)
}

/// A class.
pub(crate) fn class(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: webinar-operator.io/v1alpha1\nkind: WebinarClass\nmetadata: {{name: {name}}}\nspec:{spec}"
    )
}

/// A Webinar; `spec` is in flow style.
pub(crate) fn webinar(namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: webinar-operator.io/v1alpha1\nkind: Webinar\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{spec}}}"
    )
}

/// A PodTemplate whose simulated pods become Ready after a second. `resources` is in flow style.
pub(crate) fn template(name: &str, resources: &str) -> String {
    template_that_takes("1s", name, resources)
}

/// A PodTemplate whose simulated pods take that long to become Ready.
pub(crate) fn template_that_takes(delay: &str, name: &str, resources: &str) -> String {
    format!(
        "
apiVersion: v1
kind: PodTemplate
metadata: {{name: {name}, namespace: {OPERATOR_NAMESPACE}}}
template:
  metadata:
    annotations: {{pod-ready.stage.kwok.x-k8s.io/delay: {delay}}}
  spec:
    containers:
    - name: media
      image: example.com/media:1
      ports: [{{name: rtsp, containerPort: 8554}}]
      resources: {{{resources}}}
"
    )
}

/// Requests of 15 CPUs: a machine of 16 without what its node needs.
pub(crate) const CPU_15: &str = "requests: {cpu: '15'}";

/// The templates of [`FULL`] and [`small_tree`].
pub(crate) fn templates() -> String {
    format!(
        "{}---{}",
        template("media-sfu", CPU_15),
        template("media-relay", CPU_15)
    )
}
