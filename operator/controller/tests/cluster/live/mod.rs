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
