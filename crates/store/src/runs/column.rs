//! The values that one field has in the records of a run, as bytes: a value once where it is the same in all, numbers and
//! fresh ids by what differs from the one before, texts and ids that come again once with their places in a list.
//!
//! A form begins with a byte that says which it is. Numbers are of seven bits a byte, the lowest first, of which all but
//! the last have the high bit; a difference has its sign in the lowest bit.

use super::MOST;
use crate::spool::fields::Field;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use topdog_domain::labels::{DataSegment, Plan};
use topdog_domain::provider::{Operation, ProviderName};
use topdog_domain::usage::{Outcome, UsageSource};
use topdog_domain::{ApiKeyId, ProviderKeyId, RecordId, RequestId, Timestamp, WorkspaceId};
use uuid::Uuid;

/// One value, which all have.
const SAME: u8 = 0;
/// A value each.
const EACH: u8 = 1;
/// How many values there are, the values, and of which value each is, a byte each.
const LISTED: u8 = 2;

/// What the values of a field can be.
pub(super) trait Column: Sized {
    /// Appends the values, [`MOST`] at the most; nothing where there are none.
    fn put(values: &[&Self], bytes: &mut Vec<u8>);

    /// Takes so many from the front; none where they aren't there.
    fn take(count: usize, bytes: &mut &[u8]) -> Option<Vec<Self>>;
}

/// A struct as the columns of its fields; what has another field no longer compiles.
macro_rules! columns_of {
    ($record:ident { $($field:ident),* $(,)? }) => {
        impl Column for $record {
            fn put(values: &[&Self], bytes: &mut Vec<u8>) {
                $(Column::put(&values.iter().map(|value| &value.$field).collect::<Vec<_>>(), bytes);)*
            }

            fn take(count: usize, bytes: &mut &[u8]) -> Option<Vec<Self>> {
                $(let mut $field = Column::take(count, bytes)?.into_iter();)*
                (0..count).map(|_| Some(Self { $($field: $field.next()?),* })).collect()
            }
        }
    };
}
pub(super) use columns_of;

/// Appends the one value of all, if they have one; otherwise only that a value each follows.
fn put_if_same<T: PartialEq>(values: &[&T], bytes: &mut Vec<u8>, put: impl FnOnce(&T, &mut Vec<u8>)) -> bool {
    let Some((first, rest)) = values.split_first() else { return true };
    let is_same = rest.iter().all(|value| value == first);
    bytes.push(if is_same { SAME } else { EACH });
    if is_same {
        put(first, bytes);
    }
    is_same
}

/// Takes what [`put_if_same`] wrote, and what `take` takes behind it.
fn take_each<T: Clone>(
    count: usize,
    bytes: &mut &[u8],
    mut take: impl FnMut(&mut &[u8]) -> Option<T>,
) -> Option<Vec<T>> {
    if count == 0 {
        return Some(Vec::new());
    }
    match u8::take(bytes)? {
        SAME => take(bytes).map(|value| vec![value; count]),
        EACH => (0..count).map(|_| take(bytes)).collect(),
        _ => None,
    }
}

macro_rules! codes {
    ($($code:ident)*) => {$(
        impl Column for $code {
            fn put(values: &[&Self], bytes: &mut Vec<u8>) {
                if !put_if_same(values, bytes, Field::put) {
                    values.iter().for_each(|value| value.put(bytes));
                }
            }

            fn take(count: usize, bytes: &mut &[u8]) -> Option<Vec<Self>> {
                take_each(count, bytes, Field::take)
            }
        }
    )*};
}

codes! { bool Plan DataSegment Operation Outcome UsageSource }

impl Column for u64 {
    fn put(values: &[&Self], bytes: &mut Vec<u8>) {
        let mut before = 0;
        let mut put = |value: &u64, bytes: &mut Vec<u8>| {
            put_difference(before, *value, bytes);
            before = *value;
        };
        if !put_if_same(values, bytes, &mut put) {
            values.iter().for_each(|value| put(value, bytes));
        }
    }

    fn take(count: usize, bytes: &mut &[u8]) -> Option<Vec<Self>> {
        let mut before = 0;
        take_each(count, bytes, |bytes| {
            before = take_differing(before, bytes)?;
            Some(before)
        })
    }
}

/// As numbers of 64 bits.
macro_rules! numbers {
    ($($number:ty: $to:expr, $from:expr;)*) => {$(
        impl Column for $number {
            fn put(values: &[&Self], bytes: &mut Vec<u8>) {
                let numbers: Vec<u64> = values.iter().map(|value| $to(**value)).collect();
                Column::put(&numbers.iter().collect::<Vec<_>>(), bytes);
            }

            fn take(count: usize, bytes: &mut &[u8]) -> Option<Vec<Self>> {
                <u64 as Column>::take(count, bytes)?.into_iter().map($from).collect()
            }
        }
    )*};
}

numbers! {
    u16: u64::from, |number| Self::try_from(number).ok();
    u32: u64::from, |number| Self::try_from(number).ok();
    i64: i64::cast_unsigned, |number: u64| Some(number.cast_signed());
    Timestamp: |at: Timestamp| at.micros().cast_unsigned(),
        |number: u64| Some(Self::from_micros(number.cast_signed()));
}

/// Ids of which each is another, by the bytes that they share with the one before: those made at about the same time
/// share the first.
macro_rules! fresh_ids {
    ($($id:ident)*) => {$(
        impl Column for $id {
            fn put(values: &[&Self], bytes: &mut Vec<u8>) {
                let mut before = Uuid::nil();
                for value in values {
                    put_beside(before, value.uuid(), bytes);
                    before = value.uuid();
                }
            }

            fn take(count: usize, bytes: &mut &[u8]) -> Option<Vec<Self>> {
                let mut before = Uuid::nil();
                let mut take = |_| {
                    before = take_beside(before, bytes)?;
                    Some(Self::from_uuid(before))
                };
                (0..count).map(&mut take).collect()
            }
        }
    )*};
}

fresh_ids! { RecordId RequestId }

macro_rules! listed {
    ($($value:ty)*) => {$(
        impl Column for $value {
            fn put(values: &[&Self], bytes: &mut Vec<u8>) {
                put_listed(values, bytes);
            }

            fn take(count: usize, bytes: &mut &[u8]) -> Option<Vec<Self>> {
                take_listed(count, bytes)
            }
        }
    )*};
}

listed! { Arc<str> ProviderName ApiKeyId WorkspaceId ProviderKeyId }

impl<T: Column> Column for Option<T> {
    fn put(values: &[&Self], bytes: &mut Vec<u8>) {
        let are_there: Vec<bool> = values.iter().map(|value| value.is_some()).collect();
        Column::put(&are_there.iter().collect::<Vec<_>>(), bytes);
        let there: Vec<&T> = values.iter().filter_map(|value| value.as_ref()).collect();
        Column::put(&there, bytes);
    }

    fn take(count: usize, bytes: &mut &[u8]) -> Option<Vec<Self>> {
        let are_there: Vec<bool> = Column::take(count, bytes)?;
        let there = are_there.iter().filter(|is_there| **is_there).count();
        let mut there = T::take(there, bytes)?.into_iter();
        Some(are_there.into_iter().map(|is_there| if is_there { there.next() } else { None }).collect())
    }
}

fn put_listed<T: Field + Eq + Hash>(values: &[&T], bytes: &mut Vec<u8>) {
    let Some(first) = values.first() else { return };
    let mut places: HashMap<&T, u8> = HashMap::new();
    let mut list: Vec<&T> = vec![first];
    let (mut of_each, mut before) = (Vec::with_capacity(values.len()), (*first, 0));
    for value in values {
        if *value != before.0 {
            if places.is_empty() {
                places.insert(first, 0);
            }
            let place = *places.entry(value).or_insert_with(|| {
                list.push(value);
                // Never cut off: there are no more values than a byte has.
                u8::try_from(list.len() - 1).unwrap_or(u8::MAX)
            });
            before = (value, place);
        }
        of_each.push(before.1);
    }
    match list.as_slice() {
        [one] => {
            bytes.push(SAME);
            one.put(bytes);
        }
        list => {
            bytes.push(LISTED);
            put_number(list.len() as u64, bytes);
            list.iter().for_each(|value| value.put(bytes));
            bytes.extend(of_each);
        }
    }
}

fn take_listed<T: Field + Clone>(count: usize, bytes: &mut &[u8]) -> Option<Vec<T>> {
    if count == 0 {
        return Some(Vec::new());
    }
    match u8::take(bytes)? {
        SAME => T::take(bytes).map(|value| vec![value; count]),
        LISTED => {
            let listed = usize::try_from(take_number(bytes)?).ok().filter(|listed| *listed <= MOST)?;
            let list: Vec<T> = (0..listed).map(|_| T::take(bytes)).collect::<Option<_>>()?;
            let of_each = bytes.split_off(..count)?;
            of_each.iter().map(|place| list.get(usize::from(*place)).cloned()).collect()
        }
        _ => None,
    }
}

/// Appends how many bytes both begin with, and the others.
fn put_beside(before: Uuid, id: Uuid, bytes: &mut Vec<u8>) {
    let shared = before.as_bytes().iter().zip(id.as_bytes()).take_while(|(a, b)| a == b).count();
    bytes.push(u8::try_from(shared).unwrap_or_default());
    bytes.extend(id.as_bytes().iter().skip(shared));
}

fn take_beside(before: Uuid, bytes: &mut &[u8]) -> Option<Uuid> {
    let mut id = before.into_bytes();
    let rest = id.get_mut(usize::from(u8::take(bytes)?)..)?;
    rest.copy_from_slice(bytes.split_off(..rest.len())?);
    Some(Uuid::from_bytes(id))
}

fn put_difference(before: u64, number: u64, bytes: &mut Vec<u8>) {
    let difference = number.wrapping_sub(before).cast_signed();
    put_number(((difference << 1) ^ (difference >> 63)).cast_unsigned(), bytes);
}

fn take_differing(before: u64, bytes: &mut &[u8]) -> Option<u64> {
    let difference = take_number(bytes)?;
    Some(before.wrapping_add((difference >> 1) ^ (difference & 1).wrapping_neg()))
}

/// Appends a number in as few bytes as it needs.
pub(super) fn put_number(mut number: u64, bytes: &mut Vec<u8>) {
    while number > 0x7f {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Takes a number; none where it is of more than 64 bits.
pub(super) fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = u8::take(bytes)?;
        let part = u64::from(byte & 0x7f);
        if part << shift >> shift != part {
            return None;
        }
        number |= part << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
