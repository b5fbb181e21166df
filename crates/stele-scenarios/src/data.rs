//! Data sets that scenarios use and the repository does not hold.
//!
//! A set is pinned: name, upstream address, licence, and the SHA-256 of every file. It is looked up in `--data DIR`, then in
//! `STELE_DATA`, then in the user's cache, where `stele data get NAME` puts it. What differs from its pinned hash is not
//! used.

use std::path::{Path, PathBuf};

use serde::Serialize;
use stele_core::id::sha256;

/// The largest file of a set, in bytes.
pub const FILE_BYTES_MAX: u64 = 64 << 20;

/// One file of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DataFile {
    /// Its name within the set's folder.
    pub name: &'static str,
    /// Its place below the set's upstream address.
    pub upstream: &'static str,
    /// Its SHA-256, in hex.
    pub sha256: &'static str,
}

/// A pinned data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DataSet {
    /// Its name: kebab-case, never changed.
    pub name: &'static str,
    /// What it holds.
    pub about: &'static str,
    /// Who publishes it under which terms.
    pub licence: &'static str,
    /// Where its files come from, with a revision that never changes.
    pub upstream: &'static str,
    /// Its folder within a data folder.
    pub folder: &'static str,
    /// Its files.
    pub files: &'static [DataFile],
}

/// A set that was found, each file compared with its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The set.
    pub set: &'static DataSet,
    /// Where it is.
    pub folder: PathBuf,
    /// How it was found, such as `STELE_DATA`.
    pub by: &'static str,
}

/// Why a set cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// There is no such set.
    #[error("there is no data set `{0}`")]
    Unknown(String),
    /// It is in none of the places.
    #[error("the data set `{name}` is not here; looked in {looked}")]
    Missing {
        /// The set.
        name: &'static str,
        /// The folders tried.
        looked: String,
    },
    /// A folder has it, but not as it was published.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl DataError {
    /// The next step.
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown(_) => "`stele data list` shows all".to_owned(),
            Self::Missing { name, .. } => {
                format!("`stele data get {name}` says where it is published and where it goes")
            }
            Self::Damaged { .. } => "remove the file and get the set again".to_owned(),
        }
    }
}

/// All sets.
pub const SETS: &[DataSet] = &[DataSet {
    name: "epcis-examples",
    about: "Example documents of the GS1 EPCIS 2.0 standard, one event type and feature each",
    licence: "GS1 disclaimer and IP policy (royalty-free or RAND); not redistributed with Stele",
    upstream: "https://raw.githubusercontent.com/gs1/EPCIS/2b888befbc071e1c2d388e027b30149b3f51dcef",
    folder: "formats/epcis",
    files: &[
        DataFile {
            name: "AssociationEvent-a.jsonld",
            upstream: "JSON/AssociationEvent/AssociationEvent-a.jsonld",
            sha256: "e7fdbc51961a36253694808235122a3cd54421c0cb55b0477b4efecae44f3855",
        },
        DataFile {
            name: "ErrorDeclarationAndCorrectiveEvent.jsonld",
            upstream: "JSON/WithErrorDeclaration/ErrorDeclarationAndCorrectiveEvent.jsonld",
            sha256: "d7cb49eda1c3be1fa7892dabb71f68786381459d1ac860eb7564f04dd8e49228",
        },
        DataFile {
            name: "Example_9.6.1-ObjectEvent-with-pseudo-SBDH-headers.jsonld",
            upstream: "JSON/Example_9.6.1-ObjectEvent-with-pseudo-SBDH-headers.jsonld",
            sha256: "a1881e5673c0913bcc9094f23182293dd1b0dabf37399c5451cc63bd91c3124e",
        },
        DataFile {
            name: "Example_9.6.1-ObjectEvent.jsonld",
            upstream: "JSON/Example_9.6.1-ObjectEvent.jsonld",
            sha256: "9ee67e724585b05c546150aa8aca57215cf14e40e9e393d0916773c92f9eb85f",
        },
        DataFile {
            name: "Example_9.6.1-with-comment.jsonld",
            upstream: "JSON/Example_9.6.1-with-comment.jsonld",
            sha256: "5e777261d38ad4652183dc4222d3f8b36145c4814ab980326a6dd9b7db4ac132",
        },
        DataFile {
            name: "Example_9.6.2-ObjectEvent.jsonld",
            upstream: "JSON/Example_9.6.2-ObjectEvent.jsonld",
            sha256: "ef81701963204ceebea4482803cdf12d52ff4ba03c1417acb6a032de356cf264",
        },
        DataFile {
            name: "Example_9.6.3-AggregationEvent.jsonld",
            upstream: "JSON/Example_9.6.3-AggregationEvent.jsonld",
            sha256: "93abd7cc49a876eaf240ada38be1a383175e4d8aca0f7b4a7be36b9c8372efcb",
        },
        DataFile {
            name: "PersistentDisposition-example.jsonld",
            upstream: "JSON/PersistentDisposition-example.jsonld",
            sha256: "3b245cf1e6994b9523befa62e79b5040a543b6b5f33cced9925ff072f99b7ce7",
        },
        DataFile {
            name: "SensorDataExample1.jsonld",
            upstream: "JSON/WithSensorData/SensorDataExample1.jsonld",
            sha256: "a60490e95ace24f39943b95f0c68bd3fc3f9d6a2c7aa4aa95c39cac837b6e93d",
        },
        DataFile {
            name: "SensorDataExample11.jsonld",
            upstream: "JSON/WithSensorData/SensorDataExample11.jsonld",
            sha256: "5292ccab57dd1a5fba0a243415a48cefd53223cd5145228900d1e4776974cbed",
        },
        DataFile {
            name: "SensorDataExample5.jsonld",
            upstream: "JSON/WithSensorData/SensorDataExample5.jsonld",
            sha256: "e7bb5dd5dfd90632bfda9535d1363a6eeffc2818979ce9df0ca588d855cf6d55",
        },
        DataFile {
            name: "SensorDataExample8.jsonld",
            upstream: "JSON/WithSensorData/SensorDataExample8.jsonld",
            sha256: "b99cb2f24976ec94c466ec4b5be2ffff1d254c12e481440aeae0a658e216fb44",
        },
        DataFile {
            name: "aggregation_event_all_possible_fields.jsonld",
            upstream: "JSON/WithFullCombinationOfFields/aggregation_event_all_possible_fields.jsonld",
            sha256: "6a0cc305713a48f8d93730a6b84e9e548353846adfd657986b0b2f3c120aced4",
        },
        DataFile {
            name: "association_event_all_possible_fields.jsonld",
            upstream: "JSON/WithFullCombinationOfFields/association_event_all_possible_fields.jsonld",
            sha256: "289ae99226cb151418595c8ad74679cb4e2ce6c835dcb2014e5b4325991e7370",
        },
        DataFile {
            name: "object_event_all_possible_fields.jsonld",
            upstream: "JSON/WithFullCombinationOfFields/object_event_all_possible_fields.jsonld",
            sha256: "77ec0db796964baa59a6b236b0d35689e3ad553ca379c32e47d946933d6ed30c",
        },
        DataFile {
            name: "transformation_event_all_possible_fields.jsonld",
            upstream: "JSON/WithFullCombinationOfFields/transformation_event_all_possible_fields.jsonld",
            sha256: "5e6d0817370f9fd234fe90dcb9cca8deaad872a614fab8c586bc96a506757e40",
        },
    ],
}];

/// The set of this name.
///
/// # Errors
/// [`DataError::Unknown`].
pub fn set(name: &str) -> Result<&'static DataSet, DataError> {
    SETS.iter()
        .find(|set| set.name == name)
        .ok_or_else(|| DataError::Unknown(name.to_owned()))
}

/// The folders in which sets are looked up, with how each was named.
pub fn places(given: Option<&Path>) -> Vec<(&'static str, PathBuf)> {
    let mut places = Vec::new();
    if let Some(folder) = given {
        places.push(("--data", folder.to_owned()));
    }
    if let Some(folder) = std::env::var_os("STELE_DATA").filter(|folder| !folder.is_empty()) {
        places.push(("STELE_DATA", PathBuf::from(folder)));
    }
    if let Some(folder) = cache() {
        places.push(("the cache", folder));
    }
    places
}

/// Where `stele data get` keeps sets: `stele/data` in the user's cache.
pub fn cache() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let cache = named.or_else(|| std::env::home_dir().map(|home| home.join(".cache")))?;
    Some(cache.join("stele").join("data"))
}

/// Finds a set and compares each file with its hash.
///
/// # Errors
/// [`DataError`].
pub fn find(name: &str, given: Option<&Path>) -> Result<Found, DataError> {
    find_in(set(name)?, &places(given))
}

fn find_in(set: &'static DataSet, places: &[(&'static str, PathBuf)]) -> Result<Found, DataError> {
    for (by, place) in places {
        let folder = place.join(set.folder);
        if !folder.is_dir() {
            continue;
        }
        for file in set.files {
            check(&folder.join(file.name), file.sha256)?;
        }
        return Ok(Found { set, folder, by });
    }
    let looked: Vec<String> = places
        .iter()
        .map(|(by, place)| format!("{by} ({})", place.display()))
        .collect();
    Err(DataError::Missing {
        name: set.name,
        looked: looked.join(", "),
    })
}

/// Compares a file with its hash.
///
/// # Errors
/// [`DataError::Damaged`].
pub fn check(path: &Path, expected: &str) -> Result<(), DataError> {
    let damaged = |reason: String| DataError::Damaged {
        path: path.to_owned(),
        reason,
    };
    let length = std::fs::metadata(path)
        .map_err(|error| damaged(error.to_string()))?
        .len();
    if length > FILE_BYTES_MAX {
        return Err(damaged(format!(
            "{length} bytes, more than any file of a set"
        )));
    }
    let bytes = std::fs::read(path).map_err(|error| damaged(error.to_string()))?;
    let found = hex::encode(sha256(&[&bytes]));
    if found == expected {
        Ok(())
    } else {
        Err(damaged(format!(
            "its SHA-256 is {found}, pinned is {expected}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_files_are_plain() {
        for set in SETS {
            assert_eq!(
                SETS.iter().filter(|other| other.name == set.name).count(),
                1
            );
            for file in set.files {
                assert!(!file.name.contains(['/', '\\']) && !file.name.starts_with('.'));
                assert_eq!(file.sha256.len(), 64, "{}", file.name);
            }
        }
    }

    #[test]
    fn the_first_place_that_has_a_set_counts_and_a_changed_file_is_named() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let set = set("epcis-examples").unwrap();
        let places = [
            ("--data", first.path().to_owned()),
            ("STELE_DATA", second.path().to_owned()),
        ];
        let missing = find_in(set, &places).unwrap_err();
        assert!(matches!(missing, DataError::Missing { .. }));
        assert!(missing.hint().contains("stele data get epcis-examples"));

        let folder = second.path().join(set.folder);
        std::fs::create_dir_all(&folder).unwrap();
        for file in set.files {
            std::fs::write(folder.join(file.name), "{}").unwrap();
        }
        match find_in(set, &places) {
            Err(DataError::Damaged { path, .. }) => {
                assert_eq!(path, folder.join(set.files[0].name))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_published_files_are_those_pinned() {
        let place =
            std::env::var_os("STELE_DATA").expect("STELE_DATA names the folder of data sets");
        let set = set("epcis-examples").unwrap();
        let found = find_in(set, &[("STELE_DATA", PathBuf::from(place))]).unwrap();
        assert_eq!((found.by, found.set.files.len()), ("STELE_DATA", 16));
    }
}
