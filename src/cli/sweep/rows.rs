//! `mesa sweep --all`: every point as it comes, in rows.
//!
//! In: a sweep that is ready to run. Out: rows of CSV, JSON lines or Parquet, in the order of the
//! points; what was written is whole, however early the run ends.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::sync::PoisonError;

use super::{Args, Format, Line, cannot_write};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::miette::Outer;
use crate::report::sweep::parquet::{Kind, Values, Writer as Parquet};
use crate::report::sweep::rows::{self, Rows};
use crate::sweep::{Block, Compiler, Options, Ran, Space, Standing, Stop, run, standing};

/// Every point as it comes.
pub(super) fn all_rows(
    args: &Args,
    compiler: &mut Compiler,
    space: &Space,
    options: &Options,
    stop: &Stop,
    progress: &Line,
) -> Result<Result<Ran, Vec<Diagnostic>>, Outer> {
    let mut out = match &args.output {
        Some(path) => Sink::File(File::create(path).map_err(|error| cannot_write(path, error))?, 0),
        None => Sink::Out(io::stdout().lock()),
    };
    let definition = compiler.definition().clone();
    let axes: Vec<String> = definition.axes.iter().map(|a| a.path.clone()).collect();
    let columns: Vec<String> = definition
        .goals
        .iter()
        .map(|g| g.text.clone())
        .chain(definition.columns.iter().cloned())
        .collect();
    let first = 1 + definition.conditions.len();
    // Reasons are known by their patterns: their examples may differ from run to run.
    let reasons = compiler.told();
    let said = |stands: Standing| match stands {
        Standing::Kept => String::new(),
        Standing::Broken(reason) => {
            let reasons = reasons.read().unwrap_or_else(PoisonError::into_inner);
            let reason = reasons.get(reason as usize);
            reason.map_or_else(|| "cannot be".to_owned(), |r| r.pattern.clone())
        }
        Standing::Unfit => "does not fit into memory".to_owned(),
        Standing::LeftOut(at) => {
            format!("not {}", definition.conditions.get(at).map_or("", String::as_str))
        }
        Standing::Unknown => "a goal is no number".to_owned(),
    };
    let values_of = |block: &Block, at: usize| -> Vec<f64> {
        let columns = block.values.iter().skip(first).take(columns.len());
        columns.map(|c| c.get(at).copied().unwrap_or(f64::NAN)).collect()
    };
    if args.format != Format::Parquet {
        let kind = if args.format == Format::Csv { Rows::Csv } else { Rows::JsonLines };
        let head = rows::head(kind, &axes, &columns, true);
        let mut head = if options.skip == 0 { head } else { String::new() };
        let write = |numbers: &[u64], block: &Block, rows: &mut Vec<u8>| {
            for (at, point) in numbers.iter().enumerate() {
                let reason = said(standing(&definition, block, at));
                let settings = space.settings(*point);
                let values = values_of(block, at);
                let names = (axes.as_slice(), columns.as_slice());
                let last = ("left_out", reason.as_str());
                rows::write_row(kind, rows, names, *point, &settings, &values, last);
            }
        };
        let mut emit = |bytes: &[u8]| {
            out.put(std::mem::take(&mut head).as_bytes())?;
            out.put(bytes)
        };
        let mut show = |p| progress.show(p);
        return Ok(run(compiler, space, options, stop, Some(&write), &mut emit, &mut show));
    }
    let kinds = parquet_columns(space, &columns);
    let mut parquet = Parquet::new(kinds);
    let start = parquet.start();
    out.put(&start).map_err(|error| Outer::new("the output cannot be written").cause(error))?;
    // Threads hand over rows; the main one makes row groups of them.
    let write = |numbers: &[u64], block: &Block, rows: &mut Vec<u8>| {
        for (at, point) in numbers.iter().enumerate() {
            rows.extend(point.to_le_bytes());
            rows.extend(values_of(block, at).iter().flat_map(|v| v.to_le_bytes()));
            let reason = said(standing(&definition, block, at));
            rows.extend((reason.len() as u32).to_le_bytes());
            rows.extend(reason.as_bytes());
        }
    };
    let ran = {
        let mut emit = |bytes: &[u8]| {
            let group = parquet.group(&unpacked(space, bytes, columns.len()));
            out.put(&group)
        };
        let mut show = |p| progress.show(p);
        run(compiler, space, options, stop, Some(&write), &mut emit, &mut show)
    };
    let Ok(mut ran) = ran else { return Ok(ran) };
    if ran.failed.is_some() {
        parquet.take_back();
    }
    // On a full disk the footer takes the place of rows.
    while let Err(error) = out.put(&parquet.finish()) {
        let Some((whole, rows)) = parquet.take_back() else {
            return Err(Outer::new("the output cannot be written").cause(error));
        };
        out.cut(whole);
        ran.to = ran.to.saturating_sub(rows).max(ran.from);
        ran.failed = Some(error);
    }
    Ok(Ok(ran))
}

/// Where rows go. What is written to a file are whole pieces: one that fails is taken back.
enum Sink {
    /// A file, and how long it is.
    File(File, u64),
    Out(io::StdoutLock<'static>),
}

impl Sink {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Out(out) => out.write_all(bytes).and_then(|()| out.flush()),
            Self::File(file, length) => match file.write_all(bytes) {
                Ok(()) => {
                    *length += bytes.len() as u64;
                    Ok(())
                }
                Err(error) => {
                    let whole = *length;
                    self.cut(whole);
                    Err(error)
                }
            },
        }
    }

    /// Makes a file so short.
    fn cut(&mut self, whole: u64) {
        if let Self::File(file, length) = self {
            // A device has no length, and nothing to take back.
            let _ = file.set_len(whole);
            let _ = file.seek(io::SeekFrom::Start(whole));
            *length = whole;
        }
    }
}

fn parquet_columns(space: &Space, columns: &[String]) -> Vec<(String, Kind)> {
    let mut kinds = vec![("point".to_owned(), Kind::Int64)];
    for axis in &space.axes {
        let kind = if axis.is_numeric() { Kind::Double } else { Kind::Text };
        kinds.push((axis.path.clone(), kind));
    }
    kinds.extend(columns.iter().map(|c| (c.clone(), Kind::Double)));
    kinds.push(("left_out".to_owned(), Kind::Text));
    kinds
}

/// Columns of the rows that a thread handed over.
fn unpacked(space: &Space, bytes: &[u8], columns: usize) -> Vec<Values> {
    let mut points = Vec::new();
    let mut results = vec![Vec::new(); columns];
    let mut reasons = Vec::new();
    let mut rest = bytes;
    while let Some((point, more)) = rest.split_first_chunk::<8>() {
        points.push(u64::from_le_bytes(*point));
        rest = more;
        for column in &mut results {
            let Some((value, more)) = rest.split_first_chunk::<8>() else { break };
            column.push(f64::from_le_bytes(*value));
            rest = more;
        }
        let Some((size, more)) = rest.split_first_chunk::<4>() else { break };
        let size = (u32::from_le_bytes(*size) as usize).min(more.len());
        let (text, more) = more.split_at(size);
        reasons.push(String::from_utf8_lossy(text).into_owned());
        rest = more;
    }
    let mut numbers = vec![Vec::new(); space.columns()];
    points.iter().for_each(|p| space.numbers(*p, &mut numbers));
    let settings: Vec<Vec<String>> = points.iter().map(|p| space.settings(*p)).collect();
    let mut out = vec![Values::Int64(points.iter().map(|p| *p as i64).collect())];
    for (at, axis) in space.axes.iter().enumerate() {
        let column = space.column_axes().iter().position(|c| *c == at);
        out.push(match column.and_then(|c| numbers.get_mut(c)) {
            Some(values) if axis.is_numeric() => Values::Double(std::mem::take(values)),
            _ => Values::Text(settings.iter().filter_map(|s| s.get(at).cloned()).collect()),
        });
    }
    out.extend(results.into_iter().map(Values::Double));
    out.push(Values::Text(reasons));
    out
}
