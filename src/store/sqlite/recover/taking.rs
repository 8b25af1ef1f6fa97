//! Takes the rows of one table over, as far as they can be read.

use std::collections::BTreeSet;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// How many numbers in a row are tried that may be there or not.
pub(super) const TRIED_MAX: i64 = 100_000;

/// Rows on their way from one table into another.
pub(super) struct Taking<'a> {
    pub(super) old: &'a Connection,
    pub(super) insert: rusqlite::Statement<'a>,
    pub(super) names: Vec<String>,
    pub(super) select: String,
    /// The highest number that can have been given.
    pub(super) highest: i64,
    /// Rows that could be read and not be stored.
    pub(super) refused: usize,
}

impl Taking<'_> {
    /// Takes rows as long as they can be read, and returns whether that was to the end.
    pub(super) fn some(&mut self, which: &str, values: &[i64]) -> rusqlite::Result<bool> {
        self.noting(which, values, |_| ())
    }

    fn noting(&mut self, which: &str, values: &[i64], mut note: impl FnMut(&[Value])) -> rusqlite::Result<bool> {
        let Ok(mut select) = self.old.prepare_cached(&format!("{} {which}", self.select)) else { return Ok(false) };
        let Ok(mut rows) = select.query(params_from_iter(values)) else { return Ok(false) };
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(true),
                Err(_) => return Ok(false),
            };
            let Ok(row) = (0..self.names.len()).map(|column| row.get(column)).collect::<Result<Vec<Value>, _>>() else {
                return Ok(false);
            };
            note(&row);
            match self.insert.execute(params_from_iter(row)) {
                // It may have come by before.
                Ok(_) => {}
                // The row is what is wrong, and not the disk.
                Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => {
                    self.refused += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the rows of a table that numbers them.
    pub(super) fn numbered(&mut self, number: &str) -> rusqlite::Result<bool> {
        let place = self.names.iter().position(|name| name == number).unwrap_or(0);
        let seen = |last: &mut Option<i64>, row: &[Value]| {
            if let Some(Value::Integer(id)) = row.get(place) {
                *last = Some(*id);
            }
        };
        let (mut up, mut down) = (None, None);
        if self.noting(&format!("NOT INDEXED ORDER BY {number}"), &[], |row| seen(&mut up, row))? {
            return Ok(true);
        }
        self.noting(&format!("NOT INDEXED ORDER BY {number} DESC"), &[], |row| seen(&mut down, row))?;
        let first = up.map_or(1, |id: i64| id.saturating_add(1));
        let last = down.map_or(self.highest, |id: i64| id.saturating_sub(1));
        for id in first..=last.min(first.saturating_add(TRIED_MAX)) {
            self.some(&format!("NOT INDEXED WHERE {number} = ?1"), &[id])?;
        }
        Ok(false)
    }

    /// Takes the rows of a table that belong to `owners`.
    pub(super) fn owned(&mut self, column: &str, owners: &[i64]) -> rusqlite::Result<bool> {
        if self.some("ORDER BY 1", &[])? {
            return Ok(true);
        }
        let owners: BTreeSet<i64> = owners.iter().copied().collect();
        for owner in owners {
            self.some(&format!("WHERE {column} = ?1"), &[owner])?;
        }
        Ok(false)
    }
}
