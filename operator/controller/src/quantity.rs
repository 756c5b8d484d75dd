//! CPU quantities.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// A CPU quantity in millicores, rounded up as the scheduler does. `None`: not a CPU quantity, or more
/// than a billion millicores.
pub(crate) fn millicores(quantity: &Quantity) -> Option<u64> {
    let text = quantity.0.trim();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    // Nano-cores per unit.
    let scale: u128 = match unit {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => 1_000_000_000,
        "k" => 1_000_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.len() > 9 || whole.len() > 12 {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: u128 = format!("{fraction:0<9}").parse().ok()?;
    let nanos = whole * scale + fraction * scale / 1_000_000_000;
    u64::try_from(nanos.div_ceil(1_000_000))
        .ok()
        .filter(|m| *m <= 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_kubernetes_writes() {
        let read = |s: &str| millicores(&Quantity(s.to_owned()));
        assert_eq!(read("15"), Some(15_000));
        assert_eq!(read("1500m"), Some(1_500));
        assert_eq!(read("0.1"), Some(100));
        assert_eq!(read("1.5"), Some(1_500));
        assert_eq!(read(".5"), Some(500));
        assert_eq!(read("100u"), Some(1));
        assert_eq!(read("1k"), Some(1_000_000));
        for bad in [
            "",
            ".",
            "1Gi",
            "-1",
            "1e3",
            "abc",
            "1.2.3",
            "99999999999999999999",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
