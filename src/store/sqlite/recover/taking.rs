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
    /// The highest number that was given, if that can be told.
    pub(super) highest: Option<i64>,
    /// Rows that could be read and not be stored, or stand where none of their number can.
    pub(super) refused: usize,
}

impl Taking<'_> {
    /// Takes rows as long as they can be read, and returns whether that was to the end.
    pub(super) fn some(&mut self, which: &str, values: &[i64]) -> rusqlite::Result<bool> {
        self.judging(which, values, |row| row.map(Judged::Taken))
    }

    /// Takes rows as [`some`](Self::some) does, each through `judge`, which says whether it is one to be taken; `None` asks
    /// about the last one.
    fn judging(
        &mut self,
        which: &str,
        values: &[i64],
        mut judge: impl FnMut(Option<Vec<Value>>) -> Option<Judged>,
    ) -> rusqlite::Result<bool> {
        let Ok(mut select) = self.old.prepare_cached(&format!("{} {which}", self.select)) else { return Ok(false) };
        let Ok(mut rows) = select.query(params_from_iter(values)) else { return Ok(false) };
        loop {
            let (row, is_over) = match rows.next() {
                Ok(Some(row)) => {
                    match (0..self.names.len()).map(|column| row.get(column)).collect::<Result<Vec<Value>, _>>() {
                        Ok(row) => (Some(row), None),
                        Err(_) => (None, Some(false)),
                    }
                }
                Ok(None) => (None, Some(true)),
                Err(_) => (None, Some(false)),
            };
            match judge(row) {
                Some(Judged::Taken(row)) => match self.insert.execute(params_from_iter(row)) {
                    // It may have come by before.
                    Ok(_) => {}
                    // The row is what is wrong, and not the disk.
                    Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => {
                        self.refused += 1;
                    }
                    Err(error) => return Err(error),
                },
                Some(Judged::Refused) => self.refused += 1,
                None => {}
            }
            if let Some(is_whole) = is_over {
                return Ok(is_whole);
            }
        }
    }

    /// Takes the rows of a table that numbers them.
    pub(super) fn numbered(&mut self, number: &str) -> rusqlite::Result<bool> {
        let place = self.names.iter().position(|name| name == number).unwrap_or(0);
        let mut up = Order::new(place, self.highest, false);
        if self.judging(&format!("NOT INDEXED ORDER BY {number}"), &[], |row| up.next(row))? {
            return Ok(true);
        }
        let mut down = Order::new(place, self.highest, true);
        self.judging(&format!("NOT INDEXED ORDER BY {number} DESC"), &[], |row| down.next(row))?;
        let first = up.last.map_or(1, |id| id.saturating_add(1));
        let last = down.last.map_or(self.highest.unwrap_or(TRIED_MAX), |id| id.saturating_sub(1));
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

/// What becomes of a row.
#[derive(Debug, PartialEq)]
enum Judged {
    Taken(Vec<Value>),
    Refused,
}

/// Holds a row back until the next one is known: a number that is out of order among its neighbours is not the row's own,
/// and its row must not take the place of the one that has it.
#[derive(Debug)]
struct Order {
    /// Which column has the number.
    place: usize,
    highest: Option<i64>,
    is_descending: bool,
    /// The number of the last row that was taken.
    last: Option<i64>,
    held: Option<(i64, Vec<Value>)>,
}

impl Order {
    fn new(place: usize, highest: Option<i64>, is_descending: bool) -> Self {
        Self { place, highest, is_descending, last: None, held: None }
    }

    /// Takes the next row in, and says what becomes of the one before.
    fn next(&mut self, row: Option<Vec<Value>>) -> Option<Judged> {
        let next = row.map(|row| match row.get(self.place) {
            Some(Value::Integer(number)) => (*number, row),
            _ => (0, row),
        });
        let (number, row) = std::mem::replace(&mut self.held, next)?;
        if !self.fits(number, self.held.as_ref().map(|(next, _)| *next)) {
            return Some(Judged::Refused);
        }
        self.last = Some(number);
        Some(Judged::Taken(row))
    }

    /// Returns whether `number` can stand between the last one that was taken and `next`.
    fn fits(&self, number: i64, next: Option<i64>) -> bool {
        let is_before = |a: i64, b: i64| if self.is_descending { a > b } else { a < b };
        let follows = |number| self.last.is_none_or(|last| is_before(last, number));
        // Where the next one is out of order itself, it says nothing about this one.
        if !follows(number) || next.is_some_and(|next| follows(next) && !is_before(number, next)) {
            return false;
        }
        // What was noted as the highest number may be what is damaged, if a row of the number after it is there.
        let below = if self.is_descending { next } else { self.last };
        self.highest.is_none_or(|highest| number <= highest) || below.is_some_and(|below| below + 1 == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that are taken of these.
    fn taken(numbers: &[i64], highest: Option<i64>, is_descending: bool) -> Vec<i64> {
        let mut order = Order::new(0, highest, is_descending);
        let rows = numbers.iter().map(|number| Some(vec![Value::Integer(*number)])).chain([None]);
        let judged = rows.filter_map(|row| order.next(row));
        judged
            .filter_map(|judged| match judged {
                Judged::Taken(row) => Some(row),
                Judged::Refused => None,
            })
            .map(|row| if let Value::Integer(number) = row[0] { number } else { panic!("{row:?}") })
            .collect()
    }

    #[test]
    fn a_number_out_of_order_is_not_taken_and_hides_no_other() {
        for (numbers, highest, expected) in [
            (&[1, 2, 5][..], Some(9), &[1, 2, 5][..]),
            (&[1, 2, 66, 4, 5], Some(9), &[1, 2, 4, 5]),
            (&[1, 2, 5, 4, 5, 6], Some(9), &[1, 2, 4, 5, 6]),
            (&[1, 2, 1, 4, 5], Some(9), &[1, 2, 4, 5]),
            (&[130, 2, 3], Some(9), &[2, 3]),
            (&[1, 2, 130], Some(9), &[1, 2]),
            (&[1, 2, 3], Some(2), &[1, 2, 3]),
            (&[1, 2, 130], None, &[1, 2, 130]),
            (&[], Some(9), &[]),
        ] {
            assert_eq!(taken(numbers, highest, false), expected, "{numbers:?}");
            let backwards = |numbers: &[i64]| numbers.iter().rev().copied().collect::<Vec<i64>>();
            let other = taken(&backwards(numbers), highest, true);
            // Of two that cannot both be right, either may be taken.
            assert!(other == backwards(expected) || numbers == [1, 2, 5, 4, 5, 6], "{numbers:?}: {other:?}");
        }
    }
}
