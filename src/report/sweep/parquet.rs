//! Parquet, as little of it as tables of numbers and texts need: plain encoding, no compression.
//!
//! In: columns of one row group after the other. Out: bytes of a file that every reader of the
//! format takes. A file that is finished early is as valid as a whole one: [`Writer::finish`]
//! writes the footer for the row groups so far.

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Whole numbers.
    Int64,
    /// Numbers.
    Double,
    /// Texts.
    Text,
}

/// The values of a column in one row group.
#[derive(Clone, PartialEq, Debug)]
pub enum Values {
    /// Whole numbers.
    Int64(Vec<i64>),
    /// Numbers; NaN where there is none.
    Double(Vec<f64>),
    /// Texts.
    Text(Vec<String>),
}

/// Where a column of a row group stands.
struct Chunk {
    offset: u64,
    size: u64,
    rows: u64,
}

/// Makes a file, piece by piece.
pub struct Writer {
    columns: Vec<(String, Kind)>,
    groups: Vec<Vec<Chunk>>,
    position: u64,
    /// Where each row group starts, and its rows.
    starts: Vec<(u64, u64)>,
}

const MAGIC: &[u8] = b"PAR1";

impl Writer {
    /// A file with these columns.
    #[must_use]
    pub fn new(columns: Vec<(String, Kind)>) -> Self {
        Self { columns, groups: Vec::new(), position: 0, starts: Vec::new() }
    }

    /// The first bytes.
    pub fn start(&mut self) -> Vec<u8> {
        self.position = MAGIC.len() as u64;
        MAGIC.to_vec()
    }

    /// The bytes of a row group.
    pub fn group(&mut self, columns: &[Values]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut chunks = Vec::new();
        let start = self.position;
        for values in columns {
            let (data, rows) = plain(values);
            let mut header = Thrift::default();
            header.i32(1, 0); // a data page
            header.i32(2, data.len() as i32);
            header.i32(3, data.len() as i32);
            header.open(5);
            header.i32(1, rows as i32);
            header.i32(2, 0); // plain
            header.i32(3, 3); // levels that are not there: run lengths
            header.i32(4, 3);
            header.close();
            header.end();
            let offset = self.position + out.len() as u64;
            let size = (header.out.len() + data.len()) as u64;
            out.extend(header.out);
            out.extend(data);
            chunks.push(Chunk { offset, size, rows: rows as u64 });
        }
        self.position += out.len() as u64;
        self.starts.push((start, chunks.first().map_or(0, |c: &Chunk| c.rows)));
        self.groups.push(chunks);
        out
    }

    /// Takes the last row group back, which could not be written: where the file ends without it,
    /// and how many rows it had.
    pub fn take_back(&mut self) -> Option<(u64, u64)> {
        self.groups.pop();
        let (start, rows) = self.starts.pop()?;
        self.position = start;
        Some((start, rows))
    }

    /// The last bytes.
    #[must_use]
    pub fn finish(&self) -> Vec<u8> {
        let mut meta = Thrift::default();
        meta.i32(1, 1);
        meta.list(2, 12, self.columns.len() + 1);
        meta.start();
        meta.text(4, "mesa");
        meta.i32(5, self.columns.len() as i32);
        meta.end();
        for (name, kind) in &self.columns {
            meta.start();
            meta.i32(1, kind.number());
            meta.i32(3, 0); // always there
            meta.text(4, name);
            if *kind == Kind::Text {
                meta.i32(6, 0); // UTF-8
            }
            meta.end();
        }
        let rows = |g: &Vec<Chunk>| g.first().map_or(0, |c| c.rows);
        meta.i64(3, self.groups.iter().map(rows).sum::<u64>() as i64);
        meta.list(4, 12, self.groups.len());
        for group in &self.groups {
            meta.start();
            meta.list(1, 12, group.len());
            for (chunk, (name, kind)) in group.iter().zip(&self.columns) {
                meta.start();
                meta.i64(2, chunk.offset as i64);
                meta.open(3);
                meta.i32(1, kind.number());
                meta.list(2, 5, 1);
                meta.raw_i32(0);
                meta.list(3, 8, 1);
                meta.raw_text(name);
                meta.i32(4, 0); // not compressed
                meta.i64(5, chunk.rows as i64);
                meta.i64(6, chunk.size as i64);
                meta.i64(7, chunk.size as i64);
                meta.i64(9, chunk.offset as i64);
                meta.close();
                meta.end();
            }
            meta.i64(2, group.iter().map(|c| c.size).sum::<u64>() as i64);
            meta.i64(3, rows(group) as i64);
            meta.end();
        }
        meta.text(6, concat!("mesa ", env!("CARGO_PKG_VERSION")));
        meta.end();
        let size = meta.out.len() as u32;
        let mut out = meta.out;
        out.extend(size.to_le_bytes());
        out.extend(MAGIC);
        out
    }
}

impl Kind {
    fn number(self) -> i32 {
        match self {
            Self::Int64 => 2,
            Self::Double => 5,
            Self::Text => 6,
        }
    }
}

fn plain(values: &Values) -> (Vec<u8>, usize) {
    match values {
        Values::Int64(list) => (list.iter().flat_map(|v| v.to_le_bytes()).collect(), list.len()),
        Values::Double(list) => (list.iter().flat_map(|v| v.to_le_bytes()).collect(), list.len()),
        Values::Text(list) => {
            let mut out = Vec::new();
            for text in list {
                out.extend((text.len() as u32).to_le_bytes());
                out.extend(text.as_bytes());
            }
            (out, list.len())
        }
    }
}

/// Thrift's compact protocol.
#[derive(Default)]
struct Thrift {
    out: Vec<u8>,
    last: Vec<i16>,
    field: i16,
}

impl Thrift {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
    fn head(&mut self, field: i16, kind: u8) {
        let step = field - self.field;
        if (1..=15).contains(&step) {
            self.out.push(((step as u8) << 4) | kind);
        } else {
            self.out.push(kind);
            self.zigzag(i64::from(field));
        }
        self.field = field;
    }
    fn zigzag(&mut self, value: i64) {
        self.varint(((value << 1) ^ (value >> 63)) as u64);
    }
    fn i32(&mut self, field: i16, value: i32) {
        self.head(field, 5);
        self.zigzag(i64::from(value));
    }
    fn raw_i32(&mut self, value: i32) {
        self.zigzag(i64::from(value));
    }
    fn i64(&mut self, field: i16, value: i64) {
        self.head(field, 6);
        self.zigzag(value);
    }
    fn text(&mut self, field: i16, text: &str) {
        self.head(field, 8);
        self.raw_text(text);
    }
    fn raw_text(&mut self, text: &str) {
        self.varint(text.len() as u64);
        self.out.extend(text.as_bytes());
    }
    fn list(&mut self, field: i16, kind: u8, size: usize) {
        self.head(field, 9);
        if size < 15 {
            self.out.push(((size as u8) << 4) | kind);
        } else {
            self.out.push(0xf0 | kind);
            self.varint(size as u64);
        }
    }
    /// A struct as a field.
    fn open(&mut self, field: i16) {
        self.head(field, 12);
        self.start();
    }
    /// A struct in a list.
    fn start(&mut self) {
        self.last.push(self.field);
        self.field = 0;
    }
    /// The end of a struct that was opened as a field.
    fn close(&mut self) {
        self.end();
    }
    fn end(&mut self) {
        self.out.push(0);
        self.field = self.last.pop().unwrap_or_default();
    }
}
