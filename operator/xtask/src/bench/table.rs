//! What is printed: a table for people, and the same as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use super::amount::Amount;

/// A section's figures.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    pub(super) section: String,
    /// What was measured, in a few words.
    pub(super) what: String,
    /// How it was measured, in sentences.
    pub(super) how: String,
    pub(super) rows: Vec<Row>,
}

/// One thing that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    /// What the first figure should stay below.
    pub(super) goal: Option<Amount>,
    pub(super) figures: Vec<Figure>,
}

/// One figure; those of one name stand in one column.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Figure {
    name: &'static str,
    #[serde(flatten)]
    amount: Amount,
}

impl Figure {
    pub(super) fn new(name: &'static str, amount: impl Into<Amount>) -> Self {
        Self {
            name,
            amount: amount.into(),
        }
    }
}

impl Row {
    fn figure(&self, name: &str) -> Option<Amount> {
        let found = self.figures.iter().find(|figure| figure.name == name);
        found.map(|figure| figure.amount)
    }

    /// The goal, and whether it is met.
    fn verdict(&self) -> String {
        match (self.goal, self.figures.first()) {
            (Some(goal), Some(first)) if first.amount.meets(goal) => format!("< {}  met", goal.short()),
            (Some(goal), _) => format!("< {}  MISSED", goal.short()),
            (None, _) => String::new(),
        }
    }
}

impl Table {
    /// For people.
    pub(super) fn text(&self) -> String {
        let columns = self.columns();
        let mut grid = vec![vec![String::new()]];
        grid[0].extend(columns.iter().map(|name| (*name).to_owned()));
        grid[0].push("goal".to_owned());
        grid.extend(self.rows.iter().map(|row| {
            let figures = columns.iter().map(|name| row.figure(name));
            let figures = figures.map(|amount| amount.map_or_else(|| "–".to_owned(), |a| a.to_string()));
            let name = std::iter::once(row.name.clone());
            name.chain(figures).chain([row.verdict()]).collect()
        }));
        format!(
            "── {}: {}\n{}\n\n{}",
            self.section,
            self.what,
            self.how,
            aligned(&grid)
        )
    }

    /// The names of all figures, in the order in which they first appear.
    fn columns(&self) -> Vec<&'static str> {
        let mut columns = Vec::new();
        for figure in self.rows.iter().flat_map(|row| &row.figures) {
            if !columns.contains(&figure.name) {
                columns.push(figure.name);
            }
        }
        columns
    }
}

/// Words to the left in the first and last column, numbers to the right between them.
fn aligned(grid: &[Vec<String>]) -> String {
    let length = |cell: &String| cell.chars().count();
    let count = grid.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|column| grid.iter().filter_map(|row| row.get(column)).map(length).max())
        .map(Option::unwrap_or_default)
        .collect();
    let mut text = String::new();
    for row in grid {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing to a String can't fail.
            _ = match column {
                0 => write!(line, "{cell:<width$}"),
                last if last + 1 == count => write!(line, "  {cell}"),
                _ => write!(line, "  {cell:>width$}"),
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// All tables.
#[derive(Debug, Serialize)]
struct Report<'a> {
    cpus: usize,
    sections: &'a [Table],
}

/// All tables, in one line.
///
/// # Errors
/// When the serializer refuses them.
pub(super) fn json(cpus: usize, sections: &[Table]) -> serde_json::Result<String> {
    serde_json::to_string(&Report { cpus, sections })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> [Table; 1] {
        let row = |name: &str, goal: Option<f64>, figures| Row {
            name: name.to_owned(),
            goal: goal.map(Amount::seconds),
            figures,
        };
        let median = |seconds| Figure::new("median", Amount::seconds(seconds));
        [Table {
            section: "plan".to_owned(),
            what: "The plan command".to_owned(),
            how: "In turns.".to_owned(),
            rows: vec![
                row("--version", None, vec![median(0.002)]),
                row(
                    "a.yaml",
                    Some(0.05),
                    vec![median(0.012), Figure::new("memory", Amount::bytes(20 << 20))],
                ),
                row("b.yaml", Some(0.05), vec![median(0.123)]),
            ],
        }]
    }

    #[test]
    fn columns_are_aligned() {
        let wanted = "\
── plan: The plan command
In turns.

            median    memory  goal
--version  2.00 ms         –
a.yaml     12.0 ms  20.0 MiB  < 50 ms  met
b.yaml      123 ms         –  < 50 ms  MISSED
";
        assert_eq!(tables()[0].text(), wanted);
    }

    #[test]
    fn json_is_one_line_with_units() {
        let line = json(2, &tables()).expect("JSON");
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let row = &value["sections"][0]["rows"][1];
        assert_eq!(
            row["goal"],
            serde_json::json!({ "value": 0.05, "unit": "seconds" })
        );
        assert_eq!(
            row["figures"][1],
            serde_json::json!({ "name": "memory", "value": 20_971_520.0, "unit": "bytes" })
        );
        assert_eq!(value["sections"][0]["rows"][0]["goal"], serde_json::Value::Null);
    }
}
