//! A walk over all of a document, in one pass, however deep it nests.

use super::{Cursor, Fault, Kind, Value, deeper};

/// Is told of all that a document holds, in its order.
pub(crate) trait Walker<'a> {
    /// An object or an array begins.
    fn open(&mut self, kind: Kind);
    /// A member's name in the object that was opened last, escapes unresolved.
    fn key(&mut self, key: &'a str);
    /// The object or array that was opened last ends.
    fn close(&mut self);
    /// Any other value.
    fn scalar(&mut self, value: Value<'a>);
}

/// Walks a whole text that is one value.
pub(crate) fn walk<'a>(text: &'a str, walker: &mut impl Walker<'a>) -> Result<(), Fault> {
    let mut cursor = Cursor::new(text);
    cursor.skip_space();
    cursor.walk(walker, 0)?;
    cursor.end()
}

impl<'a> Cursor<'a> {
    fn walk(&mut self, walker: &mut impl Walker<'a>, depth: u32) -> Result<(), Fault> {
        match self.peek() {
            Some(b'{') => self.walk_container(walker, depth, Kind::Object, b'{', b'}'),
            Some(b'[') => self.walk_container(walker, depth, Kind::Array, b'[', b']'),
            _ => {
                walker.scalar(self.value(depth)?);
                Ok(())
            }
        }
    }

    fn walk_container(
        &mut self,
        walker: &mut impl Walker<'a>,
        depth: u32,
        kind: Kind,
        opening: u8,
        closing: u8,
    ) -> Result<(), Fault> {
        let inner = deeper(depth)?;
        walker.open(kind);
        self.open(opening)?;
        let mut goes_on = !self.closes(closing);
        while goes_on {
            if kind == Kind::Object {
                let key = self.key()?;
                walker.key(key);
            }
            self.walk(walker, inner)?;
            goes_on = self.goes_on(closing)?;
        }
        walker.close();
        Ok(())
    }
}
