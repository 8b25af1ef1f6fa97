//! What was measured: figures by contender and round, what they are set against, and whether that is good enough.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::machine;
use crate::peer::Peers;
use crate::plan::Plan;

/// The name under which the figures of apex stand.
pub const APEX: &str = "apex";
/// The name of the bare limit: a loop of posix_spawn and waitpid.
pub const LIMIT: &str = "limit";
/// The name of what starting any process costs.
pub const FLOOR: &str = "floor";
/// The name of apex on an empty queue, where apex is measured on a full one.
pub const EMPTY: &str = "empty queue";

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Tasks a second.
    Rate,
    /// Milliseconds.
    Ms,
    /// Seconds.
    Seconds,
    /// Mebibytes.
    MiB,
    /// So many times.
    Times,
}

impl Unit {
    /// Returns whether more is better.
    pub fn more_is_better(self) -> bool {
        self == Unit::Rate
    }

    /// Returns the unit as it stands behind a figure.
    pub fn as_str(self) -> &'static str {
        match self {
            Unit::Rate => "/s",
            Unit::Ms => "ms",
            Unit::Seconds => "s",
            Unit::MiB => "MiB",
            Unit::Times => "×",
        }
    }

    /// Returns a figure for people.
    pub fn show(self, figure: f64) -> String {
        match self {
            Unit::Rate | Unit::Times => format!("{figure:.0}"),
            Unit::MiB => format!("{figure:.1}"),
            Unit::Ms | Unit::Seconds if figure < 10.0 => format!("{figure:.2}"),
            Unit::Ms | Unit::Seconds => format!("{figure:.0}"),
        }
    }
}

/// What apex is to reach, in every round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// No worse than this figure.
    Value(f64),
    /// No worse than so many times what another contender reached in the same round.
    Of(&'static str, f64),
    /// No more than this above another contender in the same round.
    Over(&'static str, f64),
}

impl Target {
    /// Returns the target for people.
    pub fn show(self, unit: Unit) -> String {
        let sign = if unit.more_is_better() { '≥' } else { '≤' };
        match self {
            Target::Value(bound) => format!("{sign} {bound} {}", unit.as_str()),
            Target::Of(other, bound) => format!("{sign} {bound:.2} of {other}"),
            Target::Over(other, bound) => format!("{sign} {bound} {} over {other}", unit.as_str()),
        }
    }
}

/// One thing that was measured.
#[derive(Debug, Clone)]
pub struct Measure {
    /// The section in which it was.
    pub section: &'static str,
    /// What was done.
    pub name: String,
    /// What the figures count.
    pub unit: Unit,
    /// The contender that apex is set against.
    pub base: Option<&'static str>,
    /// What is to be reached.
    pub targets: Vec<Target>,
    /// The figures of each contender, one a round.
    pub figures: Vec<(String, Vec<f64>)>,
}

impl Measure {
    /// Makes one without figures.
    pub fn new(section: &'static str, name: impl Into<String>, unit: Unit) -> Self {
        Self { section, name: name.into(), unit, base: None, targets: Vec::new(), figures: Vec::new() }
    }

    /// Sets apex against a contender.
    #[must_use]
    pub fn against(mut self, base: &'static str) -> Self {
        self.base = Some(base);
        self
    }

    /// Adds something to be reached.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Adds the figure of one round.
    pub fn add(&mut self, who: &str, figure: f64) {
        eprintln!("{}: {who}: {} {}", self.name, self.unit.show(figure), self.unit.as_str());
        match self.figures.iter_mut().find(|(known, _)| known == who) {
            Some((_, figures)) => figures.push(figure),
            None => self.figures.push((who.to_owned(), vec![figure])),
        }
    }

    /// Returns the figures of a contender, none if it did not take part.
    pub fn of(&self, who: &str) -> &[f64] {
        self.figures.iter().find(|(known, _)| known == who).map_or(&[], |(_, figures)| figures)
    }

    /// Returns apex's figures as so many times those of another in the same rounds.
    pub fn ratios(&self, to: &str) -> Vec<f64> {
        self.of(APEX).iter().zip(self.of(to)).map(|(apex, other)| apex / other).collect()
    }

    /// Returns the worst of some figures or ratios.
    pub fn worst(&self, figures: &[f64]) -> Option<f64> {
        let worse = if self.unit.more_is_better() { f64::min } else { f64::max };
        figures.iter().copied().reduce(worse)
    }

    /// Returns whether a target was reached in the worst round; `None` if that was not measured.
    pub fn is_reached(&self, target: Target) -> Option<bool> {
        let (found, bound) = match target {
            Target::Value(bound) => (self.of(APEX).to_vec(), bound),
            Target::Of(other, bound) => (self.ratios(other), bound),
            Target::Over(other, bound) => {
                let over = self.of(APEX).iter().zip(self.of(other)).map(|(apex, other)| apex - other);
                (over.collect(), bound)
            }
        };
        let worst = self.worst(&found)?;
        Some(if self.unit.more_is_better() { worst >= bound } else { worst <= bound })
    }

    fn json(&self) -> Value {
        let of_each = |of: fn(&[f64]) -> f64| -> Value {
            self.figures.iter().map(|(who, figures)| (who.clone(), json!(of(figures)))).collect()
        };
        let targets: Vec<Value> = self
            .targets
            .iter()
            .map(|target| json!({ "target": target.show(self.unit), "reached": self.is_reached(*target) }))
            .collect();
        json!({
            "section": self.section,
            "name": self.name,
            "unit": self.unit.as_str(),
            "more_is_better": self.unit.more_is_better(),
            "against": self.base,
            "ratios": self.base.map(|base| self.ratios(base)),
            "targets": targets,
            "median": of_each(median),
            "rounds": self.figures.iter().map(|(who, figures)| (who.clone(), json!(figures))).collect::<Value>(),
        })
    }
}

/// Returns the middle one of some figures; of an even number the mean of the two in the middle.
pub fn median(figures: &[f64]) -> f64 {
    let sorted = sorted(figures);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// Returns the figure that so many in a hundred do not exceed.
pub fn percentile(figures: &[f64], hundredths: usize) -> f64 {
    let sorted = sorted(figures);
    let at = (sorted.len() * hundredths).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

fn sorted(figures: &[f64]) -> Vec<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// All that was measured in one run.
#[derive(Debug)]
pub struct Report {
    /// What was measured.
    pub measures: Vec<Measure>,
    /// What has to be known about the figures.
    pub remarks: BTreeSet<String>,
    absent: Vec<String>,
    failures: Vec<String>,
    rounds: usize,
    quick: bool,
    apex: PathBuf,
    /// Where everything is written.
    pub directory: PathBuf,
}

impl Report {
    /// Makes an empty one.
    pub fn new(plan: &Plan, peers: &Peers) -> Self {
        let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let mut remarks: BTreeSet<String> = peers.remarks();
        remarks.insert(
            "apex: every acknowledged add and every outcome is durable (SQLite, `synchronous=FULL`)".to_owned(),
        );
        if cfg!(debug_assertions) {
            remarks.insert("apex was not built as a release: its figures are worth nothing".to_owned());
        }
        Self {
            measures: Vec::new(),
            remarks,
            absent: peers.absent(),
            failures: Vec::new(),
            rounds: plan.rounds,
            quick: plan.quick,
            apex: plan.apex.clone(),
            directory: tmp.parent().unwrap_or(tmp).join("compare"),
        }
    }

    /// Adds what a section measured.
    pub fn add(&mut self, measures: impl IntoIterator<Item = Measure>) {
        self.measures.extend(measures.into_iter().filter(|measure| !measure.figures.is_empty()));
    }

    /// Notes something that has to be known about the figures.
    pub fn remark(&mut self, remark: impl Into<String>) {
        self.remarks.insert(remark.into());
    }

    /// Notes that a section came to nothing.
    pub fn failed(&mut self, section: &str, error: &anyhow::Error) {
        self.failures.push(format!("{section}: {error:#}"));
    }

    /// Returns whether a section came to nothing.
    pub fn has_failed(&self) -> bool {
        !self.failures.is_empty()
    }

    /// Returns what came to nothing, and why.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Returns the peers that were not found.
    pub fn absent(&self) -> &[String] {
        &self.absent
    }

    /// Returns in a line how this was measured.
    pub fn how(&self) -> String {
        let size = if self.quick { ", small sizes" } else { "" };
        format!("{}; {} rounds{size}; {}", machine::describe(), self.rounds, machine::today())
    }

    /// Writes all of it as JSON, and returns where.
    pub fn write(&self) -> anyhow::Result<PathBuf> {
        std::fs::create_dir_all(&self.directory)?;
        let path = self.directory.join("compare.json");
        let measures: Vec<Value> = self.measures.iter().map(Measure::json).collect();
        let whole = json!({
            "machine": machine::describe(),
            "at": machine::today(),
            "apex": self.apex.to_string_lossy(),
            "rounds": self.rounds,
            "quick": self.quick,
            "absent": self.absent,
            "failures": self.failures,
            "remarks": self.remarks,
            "measures": measures,
        });
        let text = serde_json::to_string_pretty(&whole)? + "\n";
        std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(path)
    }
}
