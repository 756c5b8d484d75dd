//! Names and help of what can be chosen on the command line, for use elsewhere.

use clap::ValueEnum;
use clap::builder::PossibleValue;

/// As it is typed.
pub(crate) fn name(choice: &impl ValueEnum) -> String {
    let value = choice.to_possible_value();
    value.as_ref().map_or("", PossibleValue::get_name).to_owned()
}

/// What `--help` says of it.
pub(crate) fn what(choice: &impl ValueEnum) -> String {
    let value = choice.to_possible_value();
    let help = value.as_ref().and_then(PossibleValue::get_help);
    help.map_or_else(String::new, ToString::to_string)
}
