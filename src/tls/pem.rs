//! PEM from a file or from the configuration itself.

use crate::{
    config::Secret,
    reload::{File, Files},
    tls::Pem,
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// A PEM setting, and the keys it has in the file.
pub(super) struct PemSetting<'a> {
    pub(super) pem: &'a Pem,
    /// `tls.cert_file`.
    pub(super) file: &'static str,
    /// `tls.cert_pem`.
    pub(super) inline: &'static str,
}

pub(super) fn ca(pem: &Pem) -> PemSetting<'_> {
    PemSetting {
        pem,
        file: "tls.ca_file",
        inline: "tls.ca_pem",
    }
}

pub(super) fn client_ca(pem: &Pem) -> PemSetting<'_> {
    PemSetting {
        pem,
        file: "tls.client_ca_file",
        inline: "tls.client_ca_file",
    }
}

pub(super) fn cert(pem: &Pem) -> PemSetting<'_> {
    PemSetting {
        pem,
        file: "tls.cert_file",
        inline: "tls.cert_pem",
    }
}

pub(super) fn key(pem: &Pem) -> PemSetting<'_> {
    PemSetting {
        pem,
        file: "tls.key_file",
        inline: "tls.key_pem",
    }
}

impl PemSetting<'_> {
    /// The file to read, if it is in one.
    pub(super) fn to_read(&self) -> Option<File> {
        match self.pem {
            Pem::File(path) => Some(File {
                key: self.file,
                path: path.clone(),
            }),
            Pem::Inline(_) => None,
        }
    }

    /// What messages call it.
    pub(super) fn place(&self) -> String {
        match self.pem {
            Pem::File(path) => format!("{} {}", self.file, path.display()),
            Pem::Inline(_) => self.inline.to_owned(),
        }
    }

    fn bytes<'b>(&'b self, files: &'b Files) -> &'b [u8] {
        match self.pem {
            Pem::File(_) => files.get(self.file).map_or(&b""[..], |(_, bytes)| bytes),
            Pem::Inline(text) => Secret::reveal(text).as_bytes(),
        }
    }

    pub(super) fn certificates(
        &self,
        files: &Files,
    ) -> Result<Vec<CertificateDer<'static>>, String> {
        let found = CertificateDer::pem_slice_iter(self.bytes(files))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| format!("{}: {error}", self.place()))?;
        match found.is_empty() {
            true => Err(format!("{}: no PEM certificate in it", self.place())),
            false => Ok(found),
        }
    }

    pub(super) fn roots(&self, files: &Files) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates(files)? {
            roots
                .add(certificate)
                .map_err(|error| format!("{}: {error}", self.place()))?;
        }
        Ok(roots)
    }

    pub(super) fn private_key(&self, files: &Files) -> Result<PrivateKeyDer<'static>, String> {
        PrivateKeyDer::from_pem_slice(self.bytes(files))
            .map_err(|error| format!("{}: no PEM private key: {error}", self.place()))
    }
}

/// A certificate chain and its key.
pub(super) fn pair(
    (cert, key): (&PemSetting<'_>, &PemSetting<'_>),
    files: &Files,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    Ok((cert.certificates(files)?, key.private_key(files)?))
}
