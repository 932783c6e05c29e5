//! Values that go from one VM into another: copied, whatever thread each is in.

use std::collections::HashMap;
use std::fmt;

use mlua::{LightUserData, Lua, MultiValue, Table, Value};
use rustc_hash::FxBuildHasher;

/// How deep tables may stand in each other.
const DEEPEST: usize = 99;

/// Copies of Lua values in a row. A table that stood in several places is one table again where it arrives.
#[derive(Debug, Default, PartialEq)]
pub struct Copied {
    values: Vec<Copy>,
    /// Pairs in the order of `next`, without metatables.
    tables: Vec<Vec<(Copy, Copy)>>,
}

#[derive(Debug, PartialEq)]
enum Copy {
    Nil,
    Boolean(bool),
    Integer(mlua::Integer),
    Number(f64),
    Text(Box<[u8]>),
    /// An address that means something to C.
    Light(usize),
    /// A table by its place.
    Table(usize),
}

/// Why values are not copied, in upstream's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Uncopied {
    /// A function, a coroutine or userdata, by upstream's name of the type.
    Type(&'static str),
    /// Anything else, as cdata.
    OtherType,
    /// Tables stand in each other too deep, or in themselves.
    TooDeep,
}

impl fmt::Display for Uncopied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(name) => write!(f, "unsupported Lua type: {name}"),
            Self::OtherType => f.write_str("unsupported Lua type"),
            Self::TooDeep => {
                write!(f, "suspicious circular references, table depth exceed max depth: {}", DEEPEST + 1)
            }
        }
    }
}

/// A table that is being copied, or was.
struct Known {
    place: usize,
    /// How deep tables stand in it, itself among them; none while it is being copied.
    height: Option<usize>,
}

#[derive(Default)]
struct Reader {
    tables: Vec<Vec<(Copy, Copy)>>,
    known: HashMap<usize, Known, FxBuildHasher>,
}

impl Reader {
    /// A copy of `value`, which stands in `depth` tables, and how deep tables stand in it.
    fn read(&mut self, value: &Value, depth: usize) -> Result<(Copy, usize), Uncopied> {
        Ok((
            match value {
                Value::Nil => Copy::Nil,
                Value::Boolean(flag) => Copy::Boolean(*flag),
                Value::Integer(number) => Copy::Integer(*number),
                Value::Number(number) => Copy::Number(*number),
                Value::String(text) => Copy::Text((&*text.as_bytes()).into()),
                Value::LightUserData(address) => Copy::Light(address.0.addr()),
                Value::Table(table) => return self.read_table(table, depth + 1),
                Value::Function(_) => return Err(Uncopied::Type("LUA_TFUNCTION")),
                Value::Thread(_) => return Err(Uncopied::Type("LUA_TTHREAD")),
                Value::UserData(_) => return Err(Uncopied::Type("LUA_TUSERDATA")),
                _ => return Err(Uncopied::OtherType),
            },
            0,
        ))
    }

    fn read_table(&mut self, table: &Table, depth: usize) -> Result<(Copy, usize), Uncopied> {
        let address = table.to_pointer().addr();
        if let Some(known) = self.known.get(&address) {
            let height = known.height.filter(|height| depth + height - 1 <= DEEPEST).ok_or(Uncopied::TooDeep)?;
            return Ok((Copy::Table(known.place), height));
        }
        if depth > DEEPEST {
            return Err(Uncopied::TooDeep);
        }
        let place = self.tables.len();
        self.tables.push(Vec::new());
        self.known.insert(address, Known { place, height: None });
        let (mut pairs, mut height) = (Vec::new(), 0);
        for pair in table.pairs::<Value, Value>() {
            // Iterating a table fails for no key that it has.
            let Ok((key, value)) = pair else { return Err(Uncopied::OtherType) };
            let (key, key_height) = self.read(&key, depth)?;
            let (value, value_height) = self.read(&value, depth)?;
            height = height.max(key_height).max(value_height);
            pairs.push((key, value));
        }
        self.tables[place] = pairs;
        self.known.insert(address, Known { place, height: Some(height + 1) });
        Ok((Copy::Table(place), height + 1))
    }
}

impl Copied {
    /// Copies values; no metamethod runs.
    pub fn of(values: &MultiValue) -> Result<Self, Uncopied> {
        let mut reader = Reader::default();
        let values = values.iter().map(|value| Ok(reader.read(value, 0)?.0)).collect::<Result<_, _>>()?;
        Ok(Self { values, tables: reader.tables })
    }

    /// Makes them values of a VM.
    pub fn into_values(self, lua: &Lua) -> mlua::Result<MultiValue> {
        // There may be more of them than mlua has references.
        let tables = lua.create_table()?;
        for place in 0..self.tables.len() {
            tables.raw_set(place, lua.create_table()?)?;
        }
        for (place, pairs) in self.tables.into_iter().enumerate() {
            let table: Table = tables.raw_get(place)?;
            for (key, value) in pairs {
                table.raw_set(key.into_value(lua, &tables)?, value.into_value(lua, &tables)?)?;
            }
        }
        self.values.into_iter().map(|value| value.into_value(lua, &tables)).collect()
    }
}

impl Copy {
    fn into_value(self, lua: &Lua, tables: &Table) -> mlua::Result<Value> {
        Ok(match self {
            Self::Nil => Value::Nil,
            Self::Boolean(flag) => Value::Boolean(flag),
            Self::Integer(number) => Value::Integer(number),
            Self::Number(number) => Value::Number(number),
            Self::Text(text) => Value::String(lua.create_string(text)?),
            Self::Light(address) => Value::LightUserData(LightUserData(std::ptr::without_provenance_mut(address))),
            Self::Table(place) => Value::Table(tables.raw_get(place)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use mlua::LuaString;

    use super::*;

    /// What Lua code makes, copied into another state and looked at there by `look`.
    fn carried(make: &str, look: &str) -> Result<String, Uncopied> {
        let (from, to) = (Lua::new(), Lua::new());
        let copied = Copied::of(&from.load(make).eval().unwrap())?;
        let values = copied.into_values(&to).unwrap();
        Ok(to.load(look).into_function().unwrap().call::<LuaString>(values).unwrap().to_string_lossy())
    }

    #[test]
    fn values_arrive_as_they_were() {
        let show =
            "local t = { ... } for i = 1, select('#', ...) do t[i] = tostring(t[i]) end return table.concat(t, ' ')";
        for (make, look, want) in [
            ("return", show, ""),
            ("return nil, nil", show, "nil nil"),
            ("return true, false, 1, 1.5, 'text'", show, "true false 1 1.5 text"),
            ("return -0", "return 1 / ... < 0 and 'negative' or 'positive'", "negative"),
            (
                "return 2^53 + 2, 1e-300, 0/0",
                "local a, b, c = ... return tostring(a == 2^53 + 2 and b == 1e-300 and c ~= c)",
                "true",
            ),
            ("return 'a\\0b\\255'", "return tostring(... == 'a\\0b\\255')", "true"),
            (
                "return { 1, { 2, x = { 3 } }, [true] = 4 }",
                "local t = ... return t[1] .. t[2][1] .. t[2].x[1] .. t[true]",
                "1234",
            ),
            ("return { [{ 1 }] = 2 }", "local k, v = next(...) return k[1] .. v", "12"),
            ("local t = {} return t, { t }", "local a, b = ... return tostring(a == b[1])", "true"),
            ("return setmetatable({}, { __index = { x = 1 }, __metatable = 1 })", "return tostring((...).x)", "nil"),
        ] {
            assert_eq!(carried(make, look).unwrap(), want, "{make}");
        }
    }

    #[test]
    fn what_cannot_be_copied_is_told_by_its_type() {
        for (make, want) in [
            ("return print", Uncopied::Type("LUA_TFUNCTION")),
            ("return { { [print] = 1 } }", Uncopied::Type("LUA_TFUNCTION")),
            ("return coroutine.create(print)", Uncopied::Type("LUA_TTHREAD")),
            ("return newproxy()", Uncopied::Type("LUA_TUSERDATA")),
            ("return 1LL", Uncopied::OtherType),
            ("local t = {} t[1] = t return t", Uncopied::TooDeep),
            ("local t, u = {}, {} t[u] = u u[1] = { t } return 1, t", Uncopied::TooDeep),
            ("local t = {} for i = 2, 100 do t = { t } end return t", Uncopied::TooDeep),
            (
                "local l, t = {}, {} for i = 2, 50 do l = { l } t = { t } end t = { l, t } for i = 1, 50 do t = { t } end return t",
                Uncopied::TooDeep,
            ),
        ] {
            assert_eq!(carried(make, "return ''"), Err(want), "{make}");
        }
    }

    #[test]
    fn as_deep_as_upstream_and_no_longer_than_there_are_tables() {
        for make in [
            "local t = {} for i = 2, 99 do t = { t } end return t",
            "local t = {} for i = 2, 99 do t = { t, t, t } end return t",
            "local t = {} for i = 1, 20000 do t[i] = { i } end return t",
        ] {
            assert_eq!(carried(make, "return 'there'").unwrap(), "there", "{make}");
        }
    }
}
