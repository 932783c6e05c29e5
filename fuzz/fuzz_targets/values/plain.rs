//! Values as one text that is the same for the same values, in whatever order pairs come.

use std::collections::HashSet;
use std::rc::Rc;

use crate::value::Value;

/// How many tables there are; one that stands in two places counts once.
pub fn tables(values: &[Value]) -> usize {
    fn gather(value: &Value, seen: &mut HashSet<*const Vec<(Value, Value)>>) {
        if let Value::Table(pairs) = value
            && seen.insert(Rc::as_ptr(pairs))
        {
            for (key, value) in pairs.iter() {
                gather(key, seen);
                gather(value, seen);
            }
        }
    }
    let mut seen = HashSet::new();
    values.iter().for_each(|value| gather(value, &mut seen));
    seen.len()
}

pub fn write(values: &[Value]) -> Vec<u8> {
    let mut text = Vec::new();
    for value in values {
        one(value, &mut text);
    }
    text
}

fn one(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::Nil => text.push(b'-'),
        Value::Boolean(value) => text.push(if *value { b't' } else { b'f' }),
        Value::Number(number) if number.is_nan() => text.extend(b"nan"),
        Value::Number(number) => {
            text.push(b'n');
            text.extend(number.to_le_bytes());
        }
        Value::Text(bytes) => {
            text.extend(format!("s{}:", bytes.len()).as_bytes());
            text.extend(bytes);
        }
        Value::Table(pairs) => {
            let mut pairs: Vec<Vec<u8>> = pairs
                .iter()
                .map(|(key, value)| {
                    let mut pair = Vec::with_capacity(32);
                    one(key, &mut pair);
                    one(value, &mut pair);
                    pair
                })
                .collect();
            pairs.sort_unstable();
            text.push(b'{');
            pairs.iter().for_each(|pair| text.extend(pair));
            text.push(b'}');
        }
    }
}
