//! Resources, in words.

use crate::cli::render::distance;
use crate::domain::id::TaskId;
use crate::domain::resource::{Amount, ResourceState, ResourceWait, Resources};
use crate::domain::task::Task;
use crate::domain::text::neutralize;
use crate::domain::time::Timestamp;

/// Returns the resources in few words, `gpu 1 of 2, mem 8GiB of 24GiB`; `None` if there are none.
pub fn overview(resources: &Resources) -> Option<String> {
    let state = |resource: &ResourceState| {
        let held = Amount::new(resource.held, resource.total.is_size());
        format!("{} {held} of {} used", neutralize(&resource.name), resource.total)
    };
    let all: Vec<String> = resources.all.iter().map(state).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// Returns what a task that is ready waits for of its resources, in a sentence without its subject; `None` if all of it is
/// there.
pub fn waits(task: &Task, resources: &Resources, now: Timestamp) -> Option<String> {
    let wanting = resources.wanting(&task.spec.needs);
    let (name, need, state) = *wanting.first()?;
    let name = neutralize(name);
    let others = match wanting.len() - 1 {
        0 => String::new(),
        1 => ", and for one more resource".to_owned(),
        n => format!(", and for {n} more resources"),
    };
    let Some(state) = state else {
        return Some(format!(
            "can never start: it needs {need} of resource `{name}`, which there is no more{}",
            edit(task.id)
        ));
    };
    let total = state.total;
    if total.is_size() != need.is_size() {
        let how = if total.is_size() { "a size" } else { "counted" };
        return Some(format!(
            "can never start: it needs {need} of resource `{name}`, which is {how} now{}",
            edit(task.id)
        ));
    }
    if need.get() > total.get() {
        return Some(format!(
            "can never start: it needs {need} of resource `{name}`, of which there is {total} altogether{}",
            edit(task.id)
        ));
    }
    let then = resources.waiting.iter().find(|wait| wait.task == task.id).map(|wait| reserving(wait, now));
    Some(format!(
        "waits for resource `{name}`: it needs {need}, and {} of {total} is free{others}{}",
        state.free(),
        then.unwrap_or_default()
    ))
}

/// What else than waiting can be done about a task that can never start.
fn edit(id: TaskId) -> String {
    format!("; change it with `apex task edit {id} --set needs=…`")
}

fn reserving(wait: &ResourceWait, now: Timestamp) -> String {
    let when = distance(wait.reserves_at, now);
    if wait.reserves_at <= now {
        format!("; it reserves it since {when}: others pass only where they fit beside it")
    } else {
        format!("; until it reserves it ({when}) others that fit may pass")
    }
}

/// Returns the task that reserves what another one needs, and comes before it, if there is one: `waits behind …`.
pub fn behind(task: &Task, resources: &Resources, now: Timestamp) -> Option<String> {
    let mut reserving = resources.waiting.iter().filter(|wait| wait.reserves_at <= now && wait.task != task.id);
    let first = reserving.next()?;
    let others = match reserving.count() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Some(format!(
        "may have to wait for task {}{others}, which waits for resources and has reserved them and a slot",
        first.task
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::resource::Needs;
    use crate::view::samples::{self, NOW};

    fn resources(held: u64) -> Resources {
        let state = |name: &str, total, held| ResourceState { name: name.to_owned(), total, held, pieces: None };
        let all = vec![state("gpu", Amount::Count(2), held), state("mem", Amount::Bytes(8 << 30), 1 << 30)];
        Resources { all, waiting: Vec::new() }
    }

    fn told(needs: &str, resources: &Resources) -> Option<String> {
        let mut task = samples::queued();
        task.spec.needs = Needs::parse(needs).unwrap();
        waits(&task, resources, NOW)
    }

    #[test]
    fn what_is_wanting_is_named_with_what_there_is() {
        assert_eq!(overview(&resources(1)).unwrap(), "gpu 1 of 2 used, mem 1GiB of 8GiB used");
        assert_eq!(overview(&Resources::default()), None);
        assert_eq!(told("gpu=1,mem=7GiB", &resources(1)), None);
        let text = told("gpu=2", &resources(1)).unwrap();
        assert_eq!(text, "waits for resource `gpu`: it needs 2, and 1 of 2 is free");
        let text = told("gpu=2,mem=8GiB", &resources(1)).unwrap();
        assert!(text.ends_with("is free, and for one more resource"), "{text}");
        for (needs, what) in
            [("gpu=3", "of which there is 2 altogether"), ("tpu=1", "no more"), ("mem=3", "is a size now")]
        {
            let text = told(needs, &resources(0)).unwrap();
            assert!(text.starts_with("can never start") && text.contains(what), "{text}");
        }
    }

    #[test]
    fn it_is_told_when_it_reserves() {
        let mut resources = resources(2);
        let mut wait = |reserves_at| {
            resources.waiting = vec![ResourceWait { task: samples::queued().id, since: NOW, reserves_at }];
            told("gpu=1", &resources).unwrap()
        };
        let text = wait(NOW + Duration::from_secs(12));
        assert!(text.contains("until it reserves it (in 12"), "{text}");
        let text = wait(NOW);
        assert!(text.contains("it reserves it since"), "{text}");
    }
}
