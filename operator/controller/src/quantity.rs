//! CPU and memory quantities.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// A CPU quantity in millicores, rounded up as the scheduler does. `None`: not a CPU quantity, or more
/// than a billion millicores.
pub(crate) fn millicores(quantity: &Quantity) -> Option<u64> {
    // Nano-cores per unit.
    let nanos = parts(quantity, |unit| {
        Some(match unit {
            "n" => 1,
            "u" => 1_000,
            "m" => 1_000_000,
            "" => 1_000_000_000,
            "k" => 1_000_000_000_000,
            _ => return None,
        })
    })?;
    u64::try_from(nanos.div_ceil(1_000_000))
        .ok()
        .filter(|m| *m <= 1_000_000_000)
}

/// A memory quantity in bytes, rounded up. `None`: not a memory quantity.
pub(crate) fn bytes(quantity: &Quantity) -> Option<u64> {
    // Milli-bytes per unit: `m` is legal, if odd.
    let millis = parts(quantity, |unit| {
        let power = |base: u128, n: u32| base.pow(n) * 1_000;
        Some(match unit {
            "m" => 1,
            "" => 1_000,
            "k" => power(1_000, 1),
            "M" => power(1_000, 2),
            "G" => power(1_000, 3),
            "T" => power(1_000, 4),
            "Ki" => power(1_024, 1),
            "Mi" => power(1_024, 2),
            "Gi" => power(1_024, 3),
            "Ti" => power(1_024, 4),
            _ => return None,
        })
    })?;
    u64::try_from(millis.div_ceil(1_000)).ok()
}

/// A decimal number times what its unit stands for.
fn parts(quantity: &Quantity, scale: impl Fn(&str) -> Option<u128>) -> Option<u128> {
    let text = quantity.0.trim();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = scale(unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.len() > 9 || whole.len() > 15 {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: u128 = format!("{fraction:0<9}").parse().ok()?;
    Some(whole * scale + fraction * scale / 1_000_000_000)
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

    #[test]
    fn reads_memory() {
        let read = |s: &str| bytes(&Quantity(s.to_owned()));
        assert_eq!(read("8Gi"), Some(8 << 30));
        assert_eq!(read("1.5Ki"), Some(1_536));
        assert_eq!(read("2G"), Some(2_000_000_000));
        assert_eq!(read("1500m"), Some(2));
        assert_eq!(read("1X"), None);
    }
}
