//! Lists with the columns that were asked for.

use crate::cli::render::table::{self, Align, Cell, Table};
use crate::cli::render::task::{command, label, short_exit};
use crate::cli::render::{ago, distance, progress, state_style};
use crate::domain::field::{Field, Kind, Value};
use crate::domain::outcome::SignalName;
use crate::domain::task::Task;
use crate::domain::text::neutralize;
use crate::domain::time::Timestamp;
use crate::units::format_elapsed;

/// What a column tells of each task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// A field.
    Of(Field),
    /// The code or the signal that its last attempt ended with.
    Exit,
    /// When it ended, else when it started, else when it was added.
    When,
    /// How long ago it was added.
    Age,
    /// What it runs.
    Command,
    /// What it needs of each resource.
    Needs,
    /// How far it is, and how long it still takes.
    Progress,
    /// All its labels.
    Labels,
    /// The directory it runs in.
    Cwd,
    /// The tasks that it was to wait for.
    After,
    /// The client's name for it.
    Uuid,
}

/// Those that are no field.
const OTHERS: [Column; 10] = [
    Column::Exit,
    Column::When,
    Column::Age,
    Column::Command,
    Column::Needs,
    Column::Progress,
    Column::Labels,
    Column::Cwd,
    Column::After,
    Column::Uuid,
];

/// Returns the words for all columns.
pub fn words() -> Vec<&'static str> {
    let fields = Field::PLAIN.iter().map(Field::word).chain(["label.KEY"]);
    fields.chain(OTHERS.iter().map(Column::word)).collect()
}

impl Column {
    /// Returns the column for a word; `None` for what is none.
    pub fn from_word(word: &str) -> Option<Self> {
        // As the heading of every list has it.
        let word = if word == "time" { "duration" } else { word };
        OTHERS.into_iter().find(|column| column.word() == word).or_else(|| Field::from_word(word).map(Self::Of))
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Of(field) => field.word(),
            Self::Exit => "exit",
            Self::When => "when",
            Self::Age => "age",
            Self::Command => "command",
            Self::Needs => "needs",
            Self::Progress => "progress",
            Self::Labels => "labels",
            Self::Cwd => "cwd",
            Self::After => "after",
            Self::Uuid => "uuid",
        }
    }

    fn heading(&self) -> table::Column {
        let align = match self {
            Self::When | Self::Age => Align::Right,
            Self::Of(field) => match field.kind() {
                Kind::Number | Kind::Instant | Kind::Length => Align::Right,
                Kind::Text | Kind::State | Kind::Signal => Align::Left,
            },
            _ => Align::Left,
        };
        let title = match self {
            Self::Of(Field::Duration) => "TIME".to_owned(),
            Self::Of(Field::Label(key)) => neutralize(key).to_uppercase(),
            column => column.word().to_uppercase(),
        };
        table::Column::titled(title, align)
    }

    fn cell(&self, task: &Task, now: Timestamp) -> Cell {
        let text = match self {
            Self::Of(Field::State) => {
                let state = task.state.shown();
                return Cell::new(state.as_str()).styled(state_style(state));
            }
            Self::Of(field) => field.of(task, now).map(|value| text(field, &value, now)),
            Self::Exit => Some(short_exit(task)),
            Self::When => Some(ago(task.ended_at.or(task.started_at).unwrap_or(task.created_at), now)),
            Self::Age => Some(format_elapsed(now.since(task.created_at))),
            Self::Command => Some(command(task)),
            Self::Needs => {
                let needs = task.spec.needs.0.iter().map(|(name, amount)| format!("{}={amount}", neutralize(name)));
                Some(needs.collect::<Vec<_>>().join(","))
            }
            Self::Progress => progress::whole(task),
            Self::Labels => {
                let labels: Vec<String> = task.spec.labels.iter().map(|(key, value)| label(key, value)).collect();
                Some(labels.join(","))
            }
            Self::Cwd => Some(neutralize(&task.spec.cwd.to_string_lossy()).into_owned()),
            Self::After => {
                let after = task.spec.after.iter().chain(&task.spec.after_any);
                Some(after.map(ToString::to_string).collect::<Vec<_>>().join(","))
            }
            Self::Uuid => Some(task.uuid.to_string()),
        };
        Cell::new(text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned()))
    }
}

fn text(field: &Field, value: &Value, now: Timestamp) -> String {
    let number = match value {
        Value::Text(text) => return neutralize(text).into_owned(),
        Value::Number(number) => *number,
    };
    match field.kind() {
        Kind::Instant => distance(Timestamp(number), now),
        Kind::Length => format_elapsed(Timestamp(number).since(Timestamp(0))),
        Kind::Signal => {
            i32::try_from(number).map_or_else(|_| number.to_string(), |signal| SignalName(signal).to_string())
        }
        Kind::Number | Kind::Text | Kind::State => number.to_string(),
    }
}

/// Returns the table of `tasks` with these columns. Where space is short the command is cut, or else what comes last; no column
/// is left out.
pub fn list(tasks: &[Task], columns: &[Column], now: Timestamp, width: Option<usize>) -> String {
    let longest = columns.iter().position(|column| *column == Column::Command);
    let last = columns.len().saturating_sub(1);
    let mut table = Table::new(columns.iter().map(Column::heading).collect()).cutting(longest.unwrap_or(last));
    for task in tasks {
        table.push(columns.iter().map(|column| column.cell(task, now)).collect());
    }
    table.draw(width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resource::{Amount, Needs};
    use crate::view::samples::{NOW, ended};

    const LATER: Timestamp = Timestamp(NOW.0 + 185_000);

    fn columns(words: &str) -> Vec<Column> {
        words.split(',').map(|word| Column::from_word(word).unwrap()).collect()
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn every_column_is_known_by_its_word() {
        for word in words() {
            let column = Column::from_word(word).unwrap_or_else(|| panic!("{word}"));
            assert!(word.starts_with(column.word()), "{word}");
        }
        assert_eq!(Column::from_word("time"), Some(Column::Of(Field::Duration)));
        assert_eq!(Column::from_word("cmd"), None);
    }

    #[test]
    fn columns_come_in_the_order_in_which_they_were_asked_for() {
        let tasks = [ended()];
        let list = |words, width| plain(&list(&tasks, &columns(words), LATER, width));
        insta::assert_snapshot!(list("command,state,id,time,label.team,slot", None), @r"
        COMMAND             STATE   ID   TIME  TEAM  SLOT
        make && make check  failed  13  40.3s  core     0
        ");
        insta::assert_snapshot!(list("id,age,needs", None), @r"
        ID    AGE  NEEDS
        13  3m05s  -
        ");
        let mut needy = ended();
        needy.spec.needs =
            Needs::of([("mem".to_owned(), Amount::Bytes(8 << 30)), ("gpu".to_owned(), Amount::Count(1))]).unwrap();
        assert!(plain(&super::list(&[needy], &columns("needs"), LATER, None)).ends_with("gpu=1,mem=8GiB"));
        insta::assert_snapshot!(list("command,state,id,exit,ended", Some(40)), @r"
        COMMAND      STATE   ID  EXIT      ENDED
        make && ma…  failed  13  3     2m24s ago
        ");
    }
}
