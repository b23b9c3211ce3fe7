/*!
The file that is written to: records are added whole, and it is put aside when it would
become too large.
*/

use super::{backups, options::FileOptions};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    time::SystemTime,
};

/// The file.
#[derive(Debug)]
pub(super) struct Writer {
    options: FileOptions,
    /// The open file; None after an error, until the next record.
    open: Option<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    /// Whole records end here.
    length: u64,
    /// A regular file can be cut, a pipe or a terminal cannot.
    is_regular: bool,
}

impl OpenFile {
    fn new(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            file,
            length: metadata.len(),
            is_regular: metadata.is_file(),
        })
    }

    fn write(&mut self, record: &[u8]) -> io::Result<()> {
        match self.file.write_all(record) {
            Ok(()) => {
                self.length += record.len() as u64;
                Ok(())
            }
            Err(error) => {
                if self.is_regular {
                    self.file.set_len(self.length)?;
                }
                Err(error)
            }
        }
    }
}

impl Writer {
    /// Opens the file.
    ///
    /// # Errors
    ///
    /// When that fails, or a directory cannot be made.
    pub(super) fn open(options: FileOptions) -> io::Result<Self> {
        if let Some(mode) = options.directory_mode {
            make_directory(&options, mode)?;
        }
        let keeps = options.append || options.rotation.is_some();
        let open = open(&options.path, keeps)?;
        if let Some(rotation) = &options.rotation {
            backups::clean(&options.path, rotation, SystemTime::now());
        }
        Ok(Self {
            options,
            open: Some(OpenFile::new(open)?),
        })
    }

    /// Adds a record, whole or not at all.
    ///
    /// # Errors
    ///
    /// When it could not be added; the next call opens the file again.
    pub(super) fn write(&mut self, record: &[u8]) -> io::Result<()> {
        let written = self.try_write(record);
        if written.is_err() {
            self.open = None;
        }
        written
    }

    fn try_write(&mut self, record: &[u8]) -> io::Result<()> {
        let mut open_file = match self.open.take() {
            Some(open_file) => open_file,
            // It was emptied when it was first opened, if at all.
            None => OpenFile::new(open(&self.options.path, true)?)?,
        };
        if let Some(rotation) = self.options.rotation
            && open_file.is_regular
            && open_file.length > 0
            && open_file.length + record.len() as u64 > rotation.max_bytes
        {
            let now = SystemTime::now();
            let aside = backups::name(&self.options.path, now);
            fs::rename(&self.options.path, aside)?;
            open_file = OpenFile::new(open(&self.options.path, true)?)?;
            backups::clean(&self.options.path, &rotation, now);
        }
        open_file.write(record)?;
        self.open = Some(open_file);
        Ok(())
    }
}

fn open(path: &PathBuf, keeps: bool) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    if !keeps && file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    Ok(file)
}

fn make_directory(options: &FileOptions, mode: u32) -> io::Result<()> {
    let Some(directory) = options
        .path
        .parent()
        .filter(|at| !at.as_os_str().is_empty())
    else {
        return Ok(());
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode);
    #[cfg(not(unix))]
    let _ = mode;
    builder.create(directory)
}
