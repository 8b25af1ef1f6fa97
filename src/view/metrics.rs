//! What is measured, as Prometheus reads it.
//!
//! The text is OpenMetrics without what older readers of the Prometheus format stumble over: `info` and state sets are
//! gauges, and a counter has `_total` at the end of its family as well as of its samples. `apex_tasks_total` is a gauge all the
//! same: it says how many tasks there are, which may become fewer, and its name is promised.
//!
//! Source: OpenMetrics 1.0, "Text format".

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::domain::daemon::{Metrics, RUN_TIME_BOUNDS_MS};
use crate::domain::queue::Queue;
use crate::domain::task::State;

/// Returns `metrics` as text that ends with `# EOF` and a line end.
pub fn text(metrics: &Metrics) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Measured(metrics.clone())));
    let mut text = String::with_capacity(4 << 10);
    text::encode(&mut text, &registry).expect("writing to a String cannot fail");
    classic(&text)
}

/// Gives the families of counters the names of their samples: older readers find no type for them otherwise.
fn classic(text: &str) -> String {
    let counters: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut classic = String::with_capacity(text.len() + 64);
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what @ ("HELP" | "TYPE")), Some(name), Some(rest)) if counters.contains(&name) => {
                writeln!(classic, "# {what} {name}_total {rest}").expect("writing to a String cannot fail");
            }
            _ => {
                classic.push_str(line);
                classic.push('\n');
            }
        }
    }
    classic
}

#[derive(Debug)]
struct Measured(Metrics);

impl Collector for Measured {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Metrics { status, queues, waiting, run_time } = &self.0;
        let mut page = Page(encoder);
        page.gauge("apex_build_info", "Version of the daemon", [([("version", status.version.as_str())], 1_u64)])?;
        let uptime = status.uptime.as_secs_f64();
        page.plain("apex_daemon_uptime", "Time since the daemon was started", Some(Unit::Seconds), uptime)?;
        page.counter("apex_daemon_restarts", "Times that apexd was started again", u64::from(status.restarts))?;
        page.plain("apex_slots", "Tasks that may run at once", None, u64::from(status.slots()))?;
        page.plain("apex_tasks_running", "Tasks that hold a slot", None, u64::from(status.active))?;

        let mut by_state: BTreeMap<State, u64> = State::ALL.iter().map(|state| (state.shown(), 0)).collect();
        for (state, count) in &status.counts.by_state {
            *by_state.entry(state.shown()).or_default() += count;
        }
        let by_state = by_state.into_iter().map(|(state, count)| ([("state", state.as_str())], count));
        page.gauge("apex_tasks_total", "Tasks that are stored, by state", by_state)?;
        let waiting = waiting
            .iter()
            .map(|(queue, state, count)| ([("state", state.as_str()), ("queue", queue.as_str())], *count));
        page.gauge("apex_tasks_waiting", "Tasks that wait, by state and queue", waiting)?;

        let counts = &status.counts;
        page.counter("apex_tasks_processed", "Tasks that ended since the project began", counts.processed)?;
        page.counter("apex_tasks_succeeded", "Of these, tasks that succeeded", counts.succeeded)?;
        page.counter("apex_tasks_failed", "Of these, tasks that failed or timed out", counts.failed)?;

        let of_queues =
            |value: fn(&Queue) -> u64| queues.iter().map(move |queue| ([("queue", queue.name.as_str())], value(queue)));
        let slots = of_queues(|queue| queue.slots.into());
        page.gauge("apex_queue_slots", "Slots of a queue, 0 if only the daemon limits it", slots)?;
        let paused = of_queues(|queue| queue.pause.is_some().into());
        page.gauge("apex_queue_paused", "1 while nothing of a queue is started", paused)?;

        #[expect(clippy::cast_precision_loss, reason = "sums of milliseconds stay far below 2^53")]
        let seconds = |ms: u64| ms as f64 / 1_000.0;
        let counted: u64 = run_time.buckets.iter().sum();
        let longer = (f64::INFINITY, run_time.count.saturating_sub(counted));
        let bounds = RUN_TIME_BOUNDS_MS.into_iter().map(seconds);
        let buckets: Vec<(f64, u64)> = bounds.zip(run_time.buckets).chain([longer]).collect();
        let help = "How long attempts took that ended since apexd was started";
        let mut histogram = page.0.encode_descriptor("apex_task", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        histogram.encode_histogram::<NoLabelSet>(seconds(run_time.sum_ms), run_time.count, &buckets, None)
    }
}

struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    /// Writes a gauge without labels.
    fn plain(&mut self, name: &str, help: &str, unit: Option<Unit>, value: impl EncodeGaugeValue) -> fmt::Result {
        self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?.encode_gauge(&value)
    }

    /// Writes a counter without labels; `_total` is put behind its name.
    fn counter(&mut self, name: &str, help: &str, value: impl EncodeCounterValue) -> fmt::Result {
        let mut counter = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        counter.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// Writes a gauge with a sample for each set of labels.
    fn gauge<'s, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = ([(&'s str, &'s str); N], u64)>,
    ) -> fmt::Result {
        let mut gauge = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in samples {
            gauge.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::daemon::RunTime;
    use crate::domain::queue::QueuePause;
    use crate::view::samples;

    #[test]
    fn everything_that_is_measured() {
        let mut run_time = RunTime::default();
        for seconds in [0.005, 40.3, 3.0, 90_000.0] {
            run_time.observe(Duration::from_secs_f64(seconds));
        }
        let queue = |name: &str, slots, pause| Queue { name: name.to_owned(), slots, pause, ..Queue::default() };
        let metrics = Metrics {
            status: samples::daemon(),
            queues: vec![queue("default", 0, None), queue("gpu", 2, Some(QueuePause::default()))],
            waiting: vec![
                ("default".to_owned(), State::Queued, 2),
                ("default".to_owned(), State::Held, 1),
                ("gpu".to_owned(), State::Retrying, 1),
            ],
            run_time,
        };
        let text = text(&metrics);
        assert!(text.ends_with("\n# EOF\n"));
        insta::assert_snapshot!(text, @r#"
        # HELP apex_build_info Version of the daemon
        # TYPE apex_build_info gauge
        apex_build_info{version="0.1.0"} 1
        # HELP apex_daemon_uptime_seconds Time since the daemon was started
        # TYPE apex_daemon_uptime_seconds gauge
        # UNIT apex_daemon_uptime_seconds seconds
        apex_daemon_uptime_seconds 3600.0
        # HELP apex_daemon_restarts_total Times that apexd was started again
        # TYPE apex_daemon_restarts_total counter
        apex_daemon_restarts_total 0
        # HELP apex_slots Tasks that may run at once
        # TYPE apex_slots gauge
        apex_slots 3
        # HELP apex_tasks_running Tasks that hold a slot
        # TYPE apex_tasks_running gauge
        apex_tasks_running 1
        # HELP apex_tasks_total Tasks that are stored, by state
        # TYPE apex_tasks_total gauge
        apex_tasks_total{state="scheduled"} 0
        apex_tasks_total{state="blocked"} 0
        apex_tasks_total{state="held"} 1
        apex_tasks_total{state="queued"} 2
        apex_tasks_total{state="running"} 1
        apex_tasks_total{state="paused"} 0
        apex_tasks_total{state="retrying"} 1
        apex_tasks_total{state="succeeded"} 40
        apex_tasks_total{state="failed"} 2
        apex_tasks_total{state="timed_out"} 0
        apex_tasks_total{state="cancelled"} 0
        apex_tasks_total{state="skipped"} 0
        apex_tasks_total{state="interrupted"} 0
        apex_tasks_total{state="lost"} 0
        # HELP apex_tasks_waiting Tasks that wait, by state and queue
        # TYPE apex_tasks_waiting gauge
        apex_tasks_waiting{state="queued",queue="default"} 2
        apex_tasks_waiting{state="held",queue="default"} 1
        apex_tasks_waiting{state="retrying",queue="gpu"} 1
        # HELP apex_tasks_processed_total Tasks that ended since the project began
        # TYPE apex_tasks_processed_total counter
        apex_tasks_processed_total 42
        # HELP apex_tasks_succeeded_total Of these, tasks that succeeded
        # TYPE apex_tasks_succeeded_total counter
        apex_tasks_succeeded_total 40
        # HELP apex_tasks_failed_total Of these, tasks that failed or timed out
        # TYPE apex_tasks_failed_total counter
        apex_tasks_failed_total 2
        # HELP apex_queue_slots Slots of a queue, 0 if only the daemon limits it
        # TYPE apex_queue_slots gauge
        apex_queue_slots{queue="default"} 0
        apex_queue_slots{queue="gpu"} 2
        # HELP apex_queue_paused 1 while nothing of a queue is started
        # TYPE apex_queue_paused gauge
        apex_queue_paused{queue="default"} 0
        apex_queue_paused{queue="gpu"} 1
        # HELP apex_task_seconds How long attempts took that ended since apexd was started
        # TYPE apex_task_seconds histogram
        # UNIT apex_task_seconds seconds
        apex_task_seconds_sum 90043.305
        apex_task_seconds_count 4
        apex_task_seconds_bucket{le="0.01"} 1
        apex_task_seconds_bucket{le="0.1"} 1
        apex_task_seconds_bucket{le="1.0"} 1
        apex_task_seconds_bucket{le="5.0"} 2
        apex_task_seconds_bucket{le="15.0"} 2
        apex_task_seconds_bucket{le="60.0"} 3
        apex_task_seconds_bucket{le="300.0"} 3
        apex_task_seconds_bucket{le="900.0"} 3
        apex_task_seconds_bucket{le="3600.0"} 3
        apex_task_seconds_bucket{le="14400.0"} 3
        apex_task_seconds_bucket{le="43200.0"} 3
        apex_task_seconds_bucket{le="86400.0"} 3
        apex_task_seconds_bucket{le="+Inf"} 4
        # EOF
        "#);
    }
}
