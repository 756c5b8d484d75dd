//! While people are watching: the crowd is the judge.

mod after_peak;
mod away;
mod endings;
mod frozen;
mod on_time;
mod overrun;
mod oversold;
mod prometheus;
mod zone_loss;

/// Pods tell of themselves as `MediaMTX` does. Only the path `stage` counts: `probe` has nothing that people see.
const ASK_STAGE: &str = "podMetrics: {port: 9998, path: '/metrics?type=paths',
      viewers: {sum: [{metric: paths_readers, match: {name: [stage], readerType: [webRTCSession, hlsSession, moqSession]}}]},
      bytesIn: {sum: [{metric: paths_inbound_bytes, match: {name: [stage]}}]},
      bytesOut: {sum: [{metric: paths_outbound_bytes, match: {name: [stage]}}]}}";
