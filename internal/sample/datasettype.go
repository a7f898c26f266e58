package sample

// datasetType is the type of collections whose metadata are descriptions of data sets: names for what is edited in bulk, what they
// are found by, and a rule that an edit can break, since a few descriptions have six keywords already.
const datasetType = `{
  "fields": {
    "SCIENCE_KEYWORDS": {"path": "/metadata/ScienceKeywords"},
    "PLATFORMS": {"path": "/metadata/Platforms"},
    "INSTRUMENTS": {"path": "/metadata/Platforms/*/Instruments"},
    "DATA_CENTERS": {"path": "/metadata/DataCenters"}
  },
  "keys": [["/metadata/ShortName", "/metadata/Version"]],
  "indexes": ["/metadata/Platforms/*/ShortName", "/metadata/ScienceKeywords/*/Topic"],
  "schemas": {
    "metadata": {
      "type": "object",
      "required": ["ShortName", "Version", "ScienceKeywords"],
      "properties": {"ScienceKeywords": {"type": "array", "maxItems": 6}}
    }
  }
}
`
