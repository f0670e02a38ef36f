//! A checkpoint: the tensors of all its files.
//!
//! In: a folder, an index or one safetensors file. Out: every tensor, with format and shape where
//! its file is there, and what is wrong with the files. Only headers are read.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::header::{self, Broken, Failure, plain};
use super::index::{self, Index};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::{FileId, Origin, Place, SourceFile, Sources, Span};

/// The longest index that is read: 100 MB.
const LONGEST_INDEX: u64 = 100_000_000;

/// A tensor of a checkpoint.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its name.
    pub name: String,
    /// The position of its file.
    pub shard: usize,
    /// What the header says of it; nothing where only an index names it.
    pub about: Option<About>,
    /// Whether its file is not there, though others of its index are.
    pub lost: bool,
}

/// What a header says of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// How its elements are stored: `BF16`.
    pub dtype: &'static str,
    /// Bits of one element.
    pub bits: u64,
    /// Its dimensions, outermost first.
    pub shape: Vec<u64>,
    /// The bytes that it takes.
    pub bytes: u64,
}

/// All that is known of a checkpoint.
#[derive(Clone, Debug, Default)]
pub struct Checkpoint {
    /// What it is called: the path as given.
    pub name: String,
    /// Its files, by name.
    pub shards: Vec<String>,
    /// Its tensors.
    pub tensors: Vec<Stored>,
    /// Whether there is an index and none of its files: names are known, and nothing else.
    pub names_only: bool,
    /// What the index says of the bytes of all tensors.
    pub total_size: Option<u64>,
    /// What is wrong with the files.
    pub findings: Vec<Diagnostic>,
}

impl Checkpoint {
    /// The bytes of all tensors, where their headers were read.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.tensors.iter().map(|t| t.about.as_ref().map(|a| a.bytes)).sum()
    }
    /// Whether a file could not be read, so that matching would say nothing.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        let grave = [codes::SHARD_MISSING, codes::INDEX_DISAGREES];
        self.findings.iter().any(|d| d.code.id().starts_with('E') && !grave.contains(&d.code))
    }
}

/// Opens what lies at `path`. Files that findings speak of are added to `sources`.
///
/// # Errors
/// That the folder or the file cannot be read; what is wrong inside of it is a finding.
pub fn open(path: &Path, sources: &mut Sources) -> io::Result<Checkpoint> {
    let name = path.display().to_string();
    let mut opening = Opening { sources, found: Checkpoint { name, ..Checkpoint::default() } };
    if path.is_dir() {
        opening.folder(path)?;
    } else if path.extension().is_some_and(|e| e == "json") {
        opening.indexed(path, false)?;
    } else {
        opening.plain_files(&[path.to_owned()])?;
    }
    Ok(opening.found)
}

struct Opening<'s> {
    sources: &'s mut Sources,
    found: Checkpoint,
}

impl Opening<'_> {
    /// A model as it was downloaded: an index and its files, or files alone.
    fn folder(&mut self, path: &Path) -> io::Result<()> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(path)?.map(|e| e.map(|e| e.path())).collect::<io::Result<_>>()?;
        files.sort();
        let ends = |f: &Path, end: &str| f.to_string_lossy().ends_with(end);
        let indexes: Vec<&PathBuf> =
            files.iter().filter(|f| ends(f, ".safetensors.index.json")).collect();
        let model = path.join("model.safetensors");
        let shards: Vec<PathBuf> =
            files.iter().filter(|f| ends(f, ".safetensors")).cloned().collect();
        let usual = indexes.iter().find(|f| ends(f, "model.safetensors.index.json"));
        match (usual.or(indexes.first()), shards.as_slice()) {
            (Some(index), _) => {
                self.indexed(index, true)?;
                for file in &shards {
                    if !self.found.shards.iter().any(|s| file.ends_with(s)) {
                        self.not_listed(file);
                    }
                }
                Ok(())
            }
            (None, []) => {
                let said = "there is no `.safetensors` file and no index in it";
                Err(io::Error::new(io::ErrorKind::NotFound, said))
            }
            (None, shards) if shards.len() > 1 && shards.contains(&model) => {
                for file in shards.iter().filter(|f| **f != model) {
                    self.not_listed(file);
                }
                self.plain_files(&[model])
            }
            (None, shards) => self.plain_files(shards),
        }
    }

    /// Files without an index.
    fn plain_files(&mut self, files: &[PathBuf]) -> io::Result<()> {
        let mut where_is: HashMap<String, usize> = HashMap::new();
        for (shard, file) in files.iter().enumerate() {
            self.found.shards.push(name_of(file));
            let entries = match header::read(file) {
                Ok(entries) => entries,
                Err(Failure::Io(error)) => return Err(error),
                Err(Failure::Broken(broken)) => {
                    self.broken(file, broken);
                    continue;
                }
            };
            for entry in entries {
                if let Some(other) = where_is.insert(entry.name.clone(), shard) {
                    let other = self.found.shards.get(other).cloned().unwrap_or_default();
                    let what = format!("holds `{}`, as `{other}` does", plain(&entry.name));
                    let note = "name the file that is meant, or give an index";
                    self.broken(file, Broken::new(codes::TENSOR_TWICE, what, note));
                    break;
                }
                let header::Entry { name, dtype, bits, shape, bytes } = entry;
                let about = Some(About { dtype, bits, shape, bytes });
                self.found.tensors.push(Stored { name, shard, about, lost: false });
            }
        }
        let names = self.found.shards.clone();
        self.gaps(&names, files.first().map_or(Path::new(""), |f| f));
        Ok(())
    }

    /// An index, and the files beside it. In a folder the files have to be there.
    fn indexed(&mut self, path: &Path, in_folder: bool) -> io::Result<()> {
        let (file, length) = match header::open(path) {
            Ok(opened) => opened,
            Err(Failure::Io(error)) => return Err(error),
            Err(Failure::Broken(broken)) => {
                self.broken(path, broken);
                return Ok(());
            }
        };
        if length > LONGEST_INDEX {
            let what = format!("has {length} bytes");
            let broken = Broken::new(codes::BAD_INDEX, what, "indexes of 100 MB and less are read");
            self.broken(path, broken);
            return Ok(());
        }
        let mut json = Vec::new();
        file.take(LONGEST_INDEX).read_to_end(&mut json)?;
        let index = match index::parse(&json) {
            Ok(index) => index,
            Err(broken) => {
                self.broken(path, broken);
                return Ok(());
            }
        };
        if index.trailing {
            let title = format!("`{}` goes on after its end", path.display());
            let place = self.place(path);
            let label = "what follows the JSON was passed over";
            self.found.findings.push(Diagnostic::new(codes::INDEX_TRAILING, title, place, label));
        }
        self.found.total_size = index.total_size;
        self.gaps(&index.shards, path);
        let folder = path.parent().unwrap_or(Path::new(""));
        let there = |s: &String| s.ends_with(".safetensors") && folder.join(s).exists();
        self.found.names_only = !index.shards.iter().any(there) && !in_folder;
        self.found.shards = index.shards.clone();
        if self.found.names_only {
            let named = index.tensors.into_iter();
            self.found.tensors = named
                .map(|(name, shard)| Stored { name, shard, about: None, lost: false })
                .collect();
            return Ok(());
        }
        self.shards(path, index)
    }

    /// The headers of the files of an index; what they hold must be what it says.
    fn shards(&mut self, path: &Path, index: Index) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut expected: HashMap<String, usize> = index.tensors.into_iter().collect();
        for (shard, name) in index.shards.iter().enumerate() {
            let file = folder.join(name);
            let entries = match header::read(&file) {
                Ok(entries) => entries,
                Err(Failure::Broken(broken)) => {
                    self.broken(&file, broken);
                    expected.retain(|_, s| *s != shard);
                    continue;
                }
                Err(Failure::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                    let mut lost: Vec<_> =
                        expected.iter().filter(|(_, s)| **s == shard).map(|(n, _)| n).collect();
                    lost.sort_unstable();
                    self.shard_missing(path, name, &lost);
                    let lost: Vec<String> = lost.into_iter().cloned().collect();
                    for name in lost {
                        expected.remove(&name);
                        self.found.tensors.push(Stored { name, shard, about: None, lost: true });
                    }
                    continue;
                }
                Err(Failure::Io(error)) => return Err(error),
            };
            for entry in entries {
                let header::Entry { name, dtype, bits, shape, bytes } = entry;
                match expected.get(&name) {
                    Some(s) if *s == shard => _ = expected.remove(&name),
                    Some(s) => {
                        let other = index.shards.get(*s).map_or("", |s| s.as_str());
                        let what = format!(
                            "holds `{}`, which its index puts into `{other}`",
                            plain(&name)
                        );
                        self.disagrees(&file, &what);
                        continue;
                    }
                    None => {
                        let what =
                            format!("holds `{}`, which its index does not list", plain(&name));
                        self.disagrees(&file, &what);
                    }
                }
                let about = Some(About { dtype, bits, shape, bytes });
                self.found.tensors.push(Stored { name, shard, about, lost: false });
            }
        }
        let mut lost: Vec<(String, usize)> = expected.into_iter().collect();
        lost.sort_unstable();
        for (name, shard) in lost {
            let file = folder.join(index.shards.get(shard).map_or("", |s| s.as_str()));
            self.disagrees(
                &file,
                &format!("does not hold `{}`, which its index puts there", plain(&name)),
            );
        }
        Ok(())
    }

    /// `model-00003-of-00015`: numbers of which no file is named.
    fn gaps(&mut self, names: &[String], path: &Path) {
        let mut sets: Vec<(String, u64, Vec<u64>)> = Vec::new();
        for (stem, number, of) in names.iter().filter_map(|n| numbered(n)) {
            match sets.iter_mut().find(|(s, o, _)| *s == stem && *o == of) {
                Some((_, _, numbers)) => numbers.push(number),
                None => sets.push((stem, of, vec![number])),
            }
        }
        for (stem, of, numbers) in sets {
            if of > 100_000 || numbers.len() as u64 >= of {
                continue;
            }
            let absent: Vec<u64> = (1..=of).filter(|n| !numbers.contains(n)).collect();
            let some: Vec<String> = absent.iter().take(8).map(u64::to_string).collect();
            let more = if absent.len() > 8 { ", …" } else { "" };
            let files = if absent.len() == 1 { "file" } else { "files" };
            let title = format!(
                "{files} {}{more} of {of} are not in `{}`",
                some.join(", "),
                path.display()
            );
            let title = if absent.len() == 1 { title.replace(" are ", " is ") } else { title };
            let place = self.place(path);
            let label = format!("names files `{stem}…-of-{of:05}`, and not all of them");
            let finding = Diagnostic::new(codes::SHARD_MISSING, title, place, label);
            self.found
                .findings
                .push(finding.note("give the whole folder, or download what is missing"));
        }
    }

    fn shard_missing(&mut self, index: &Path, name: &str, lost: &[&String]) {
        let place = self.place(index);
        let first = lost.first().map_or(String::new(), |n| format!(", such as `{}`", plain(n)));
        let title = format!("`{name}` is not beside its index");
        let label = format!("{} tensors are in it{first}", lost.len());
        let finding = Diagnostic::new(codes::SHARD_MISSING, title, place, label);
        self.found.findings.push(
            finding.note("download it again; sizes and formats of its tensors are not known"),
        );
    }

    fn not_listed(&mut self, file: &Path) {
        let title = format!("`{}` was passed over", name_of(file));
        let label = "it lies beside the model, and no index lists it";
        let place = self.place(file);
        self.found.findings.push(Diagnostic::new(codes::FILE_NOT_LISTED, title, place, label));
    }

    /// One finding for each file of which an index says something else, whatever it is.
    fn disagrees(&mut self, file: &Path, what: &str) {
        let place = self.place(file);
        let said = self.found.findings.iter_mut().find(|d| {
            d.code == codes::INDEX_DISAGREES && d.place().is_some_and(|p| p.file == place.file)
        });
        if let Some(finding) = said {
            if finding.notes.len() < 5 {
                finding.notes.push(format!("it also {what}"));
            }
            return;
        }
        let title = format!("`{}` {what}", file.display());
        let label = "the index and its files do not belong together";
        self.found.findings.push(Diagnostic::new(codes::INDEX_DISAGREES, title, place, label));
    }

    fn broken(&mut self, file: &Path, broken: Broken) {
        let title = format!("`{}` {}", file.display(), broken.what);
        let place = self.place(file);
        self.found.findings.push(Diagnostic::new(broken.code, title, place, broken.note));
    }

    /// The file as the place of a finding: its bytes are nothing to draw.
    fn place(&mut self, path: &Path) -> Place {
        let name = path.display().to_string();
        let file: FileId = match self.sources.find(&name) {
            Some(file) => file,
            None => self.sources.add(SourceFile::new(&name, "", Origin::User)),
        };
        Place { file, span: Span::default() }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// `model-00003-of-00015.safetensors`: what it starts with, its number, and of how many.
fn numbered(name: &str) -> Option<(String, u64, u64)> {
    let stem = name.split('.').next()?;
    let (before, of) = stem.rsplit_once("-of-")?;
    let (start, number) = before.rsplit_once('-')?;
    let number: u64 = number.parse().ok()?;
    Some((start.to_owned(), number, of.parse().ok()?))
}
