//! Lines over two logarithmic axes, as SVG.

use std::fmt::Write as _;

use crate::section::thousands;

/// A picture.
#[derive(Debug, Clone)]
pub struct Plot {
    /// Above it.
    pub title: &'static str,
    /// What grows to the right.
    pub across: &'static str,
    /// What grows upwards.
    pub up: &'static str,
    /// What is shown.
    pub lines: Vec<Line>,
}

/// One line of a picture.
#[derive(Debug, Clone)]
pub struct Line {
    /// What it shows.
    pub name: &'static str,
    /// Its points, in order; all above zero.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 40.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 60.0;
/// Readable beside one another, on white and on black, also for those who see few colours.
const COLOURS: [&str; 3] = ["#0072b2", "#d55e00", "#888888"];
const STROKES: [&str; 3] = ["", "8 3", "2 3"];

/// A logarithmic axis: from one power of ten to another, onto a stretch of the picture.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(figures: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Axis {
        let low = figures.clone().fold(f64::INFINITY, f64::min).log10().floor();
        let high = figures.fold(f64::MIN_POSITIVE, f64::max).log10().ceil();
        Axis { low, high: high.max(low + 1.0), from, to }
    }

    fn place(&self, figure: f64) -> f64 {
        self.from + (figure.log10() - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Returns the powers of ten on it.
    fn ticks(&self) -> impl Iterator<Item = f64> {
        (self.low as i32..=self.high as i32).map(|power| 10_f64.powi(power))
    }
}

/// Returns a power of ten for people.
fn number(tick: f64) -> String {
    if tick < 1.0 { tick.to_string() } else { thousands(tick as usize) }
}

impl Plot {
    /// Draws it.
    pub fn svg(&self) -> String {
        let points = self.lines.iter().flat_map(|line| &line.points);
        let x = Axis::over(points.clone().map(|point| point.0), LEFT, WIDTH - RIGHT);
        let y = Axis::over(points.map(|point| point.1), HEIGHT - BOTTOM, TOP);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
        );
        let text = |svg: &mut String, x: f64, y: f64, anchor: &str, text: &str| {
            // Writing to a string does not fail.
            let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
        };
        let stroke = |svg: &mut String, from: (f64, f64), to: (f64, f64)| {
            let ((x1, y1), (x2, y2)) = (from, to);
            let _ = writeln!(svg, "<path d=\"M{x1:.1} {y1:.1} L{x2:.1} {y2:.1}\" stroke=\"#dddddd\"/>");
        };
        for tick in x.ticks() {
            let at = x.place(tick);
            stroke(&mut svg, (at, y.from), (at, y.to));
            text(&mut svg, at, y.from + 18.0, "middle", &number(tick));
        }
        for tick in y.ticks() {
            let at = y.place(tick);
            stroke(&mut svg, (x.from, at), (x.to, at));
            text(&mut svg, x.from - 8.0, at + 4.0, "end", &number(tick));
        }
        text(&mut svg, WIDTH / 2.0, 22.0, "middle", self.title);
        text(&mut svg, WIDTH / 2.0, HEIGHT - 14.0, "middle", self.across);
        text(&mut svg, 10.0, 40.0, "start", self.up);
        for (index, line) in self.lines.iter().enumerate() {
            let (colour, dashes) = (COLOURS[index % COLOURS.len()], STROKES[index % STROKES.len()]);
            let places: Vec<String> =
                line.points.iter().map(|(across, up)| format!("{:.1} {:.1}", x.place(*across), y.place(*up))).collect();
            let _ = writeln!(
                svg,
                "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>",
                places.join(" L")
            );
            let at = TOP + 18.0 + 20.0 * index as f64;
            let _ = writeln!(
                svg,
                "<path d=\"M{:.1} {:.1} h34\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>",
                LEFT + 14.0,
                at - 4.0
            );
            text(&mut svg, LEFT + 56.0, at, "start", line.name);
        }
        svg += "</svg>\n";
        svg
    }
}
