//! A report as Markdown: one line for each thing that was measured.

use crate::report::{APEX, Measure, Report, median};

/// Returns the tables, one for each section, and what has to be known about them.
pub fn markdown(report: &Report) -> String {
    let mut text = format!("\n{}\n", report.how());
    let mut section = "";
    for measure in &report.measures {
        if measure.section != section {
            section = measure.section;
            text += &format!("\n### {section}\n\n");
            text +=
                "| what | apex (worst) | against | ratio (worst) | target | the others |\n|---|---|---|---|---|---|\n";
        }
        text += &line(measure);
    }
    text.push('\n');
    for remark in &report.remarks {
        text += &format!("- {remark}\n");
    }
    for absent in report.absent() {
        text += &format!("- not there: {absent}\n");
    }
    for failure in report.failures() {
        text += &format!("- not measured: {failure}\n");
    }
    text
}

fn line(measure: &Measure) -> String {
    let figures = measure.of(APEX);
    let with_worst = |middle: f64, figures: &[f64], show: &dyn Fn(f64) -> String| match measure.worst(figures) {
        Some(worst) if figures.len() > 1 => format!("{} ({})", show(middle), show(worst)),
        Some(_) => show(middle),
        None => "–".to_owned(),
    };
    let unit = measure.unit;
    let apex = with_worst(median(figures), figures, &|figure| unit.show(figure));
    let (against, ratio) = match measure.base {
        Some(base) if !measure.of(base).is_empty() => {
            let ratios = measure.ratios(base);
            let against = format!("{base} {}", unit.show(median(measure.of(base))));
            (against, with_worst(median(&ratios), &ratios, &|ratio| format!("{ratio:.2}")))
        }
        _ => ("–".to_owned(), "–".to_owned()),
    };
    let targets: Vec<String> = measure
        .targets
        .iter()
        .filter_map(|target| {
            let sign = if measure.is_reached(*target)? { "✓" } else { "✗" };
            Some(format!("{} {sign}", target.show(unit)))
        })
        .collect();
    let is_other = |who: &str| who != APEX && Some(who) != measure.base;
    let others: Vec<String> = measure
        .figures
        .iter()
        .filter(|(who, _)| is_other(who))
        .map(|(who, figures)| format!("{who} {}", unit.show(median(figures))))
        .collect();
    let or_none = |cells: Vec<String>| if cells.is_empty() { "–".to_owned() } else { cells.join(", ") };
    format!(
        "| {}, {} | {apex} | {against} | {ratio} | {} | {} |\n",
        measure.name,
        unit.as_str(),
        or_none(targets),
        or_none(others)
    )
}
