//! The table at the end.

use std::collections::BTreeMap;
use std::time::Duration;

/// One comparison. Empty texts are shown as a dash.
pub struct Row {
    pub what: String,
    pub ours: String,
    pub theirs: String,
    /// Ours through theirs.
    pub ratio: Option<f64>,
    pub target: String,
    /// `None` where there is no target.
    pub met: Option<bool>,
}

impl Row {
    pub fn new(what: impl Into<String>, ours: impl Into<String>) -> Row {
        Row {
            what: what.into(),
            ours: ours.into(),
            theirs: String::new(),
            ratio: None,
            target: String::new(),
            met: None,
        }
    }

    /// Beside a peer's figure, as text and as the ratio.
    pub fn beside(self, theirs: impl Into<String>, ratio: f64) -> Row {
        Row { theirs: theirs.into(), ratio: Some(ratio), ..self }
    }

    pub fn target(self, target: impl Into<String>, met: bool) -> Row {
        Row { target: target.into(), met: Some(met), ..self }
    }
}

/// `1.24 s`, `3.1 ms`, `420 us`.
pub fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 0.001 => format!("{:.1} ms", s * 1e3),
        s => format!("{:.0} us", s * 1e6),
    }
}

/// `1.24 s (0.81 s cpu)`
pub fn wall_and_cpu(wall: Duration, cpu: Duration) -> String {
    format!("{} ({} cpu)", time(wall), time(cpu))
}

/// `a` through `b`.
pub fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64().max(1e-9)
}

/// Processor time by the name of the thread, the idle ones left out.
pub fn by_thread(threads: &BTreeMap<String, Duration>) -> String {
    let parts: Vec<_> = threads
        .iter()
        .filter(|(_, spent)| !spent.is_zero())
        .map(|(name, spent)| format!("{name} {}", time(*spent)))
        .collect();
    parts.join(", ")
}

pub fn print(rows: &[Row]) {
    let head = ["what", "directord", "peer", "ratio", "target", ""].map(str::to_owned);
    let lines: Vec<[String; 6]> = std::iter::once(head).chain(rows.iter().map(cells)).collect();
    // A remark runs on to the right and makes no column wide.
    let is_remark =
        |at: usize| at > 0 && rows[at - 1].ratio.is_none() && rows[at - 1].met.is_none();
    let width = |column: usize| {
        let cells = lines.iter().enumerate().filter(|(at, _)| column == 0 || !is_remark(*at));
        cells.map(|(_, line)| line[column].chars().count()).max().unwrap_or(0)
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    println!();
    for (at, line) in lines.iter().enumerate() {
        let shown = if is_remark(at) { &line[..2] } else { &line[..] };
        let text: Vec<String> =
            shown.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("{}", text.join("  ").trim_end());
        if at == 0 {
            println!("{}", "-".repeat(widths.iter().sum::<usize>() + 10));
        }
    }
    let (met, all) = (count(rows, true), count(rows, true) + count(rows, false));
    println!("\n{met} of {all} targets met");
}

fn count(rows: &[Row], met: bool) -> usize {
    rows.iter().filter(|row| row.met == Some(met)).count()
}

fn cells(row: &Row) -> [String; 6] {
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    [
        row.what.clone(),
        or_dash(&row.ours),
        or_dash(&row.theirs),
        row.ratio.map_or("-".into(), |r| {
            if r < 0.1 { format!("1/{:.0}", 1.0 / r.max(1e-6)) } else { format!("{r:.2}") }
        }),
        or_dash(&row.target),
        row.met.map_or("", |met| if met { "met" } else { "MISSED" }).to_owned(),
    ]
}
