package cmr

// updateCase is an update of one record. want is what it becomes, or, after "!", how it ends otherwise.
type updateCase struct{ update, record, want string }

// updateCases are CMR's update types by what its code does (the reference notes, section 2).
var updateCases = map[string]updateCase{
	// ADD_TO_EXISTING
	"added at the end":                       {`"update-type": "ADD_TO_EXISTING", "update-field": "SCIENCE_KEYWORDS", "update-value": {"Topic": "B"}`, `{"ScienceKeywords": [{"Topic": "A"}]}`, `{"ScienceKeywords": [{"Topic": "A"}, {"Topic": "B"}]}`},
	"several are added":                      {`"update-type": "ADD_TO_EXISTING", "update-field": "LOCATION_KEYWORDS", "update-value": [{"Category": "C"}, {"Category": "B"}]`, `{"LocationKeywords": [{"Category": "A"}]}`, `{"LocationKeywords": [{"Category": "A"}, {"Category": "C"}, {"Category": "B"}]}`},
	"added where there is no list":           {`"update-type": "ADD_TO_EXISTING", "update-field": "PLATFORMS", "update-value": {"ShortName": "A"}`, `{}`, `{"Platforms": [{"ShortName": "A"}]}`},
	"null keys of what is added are dropped": {`"update-type": "ADD_TO_EXISTING", "update-field": "PLATFORMS", "update-value": {"ShortName": "A", "LongName": null}`, `{}`, `{"Platforms": [{"ShortName": "A"}]}`},
	"adding makes the whole list distinct":   {`"update-type": "ADD_TO_EXISTING", "update-field": "PLATFORMS", "update-value": {"ShortName": "B"}`, `{"Platforms": [{"ShortName": "A"}, {"ShortName": "A"}]}`, `{"Platforms": [{"ShortName": "A"}, {"ShortName": "B"}]}`},
	"adding what is there":                   {`"update-type": "ADD_TO_EXISTING", "update-field": "PLATFORMS", "update-value": {"ShortName": "A"}`, `{"Platforms": [{"ShortName": "A"}]}`, `!UNCHANGED`},
	"a find beside an addition is ignored":   {`"update-type": "ADD_TO_EXISTING", "update-field": "PLATFORMS", "update-value": {"ShortName": "B"}, "find-value": {"ShortName": "X"}`, `{"Platforms": [{"ShortName": "A"}]}`, `{"Platforms": [{"ShortName": "A"}, {"ShortName": "B"}]}`},
	"an instrument is added to each platform": {`"update-type": "ADD_TO_EXISTING", "update-field": "INSTRUMENTS", "update-value": {"ShortName": "I"}`, `{"Platforms": [{"ShortName": "A"}, {"ShortName": "B", "Instruments": [{"ShortName": "J"}]}]}`,
		`{"Platforms": [{"ShortName": "A", "Instruments": [{"ShortName": "I"}]}, {"ShortName": "B", "Instruments": [{"ShortName": "J"}, {"ShortName": "I"}]}]}`},

	// CLEAR_ALL_AND_REPLACE
	"all are replaced":                              {`"update-type": "CLEAR_ALL_AND_REPLACE", "update-field": "DATA_CENTERS", "update-value": [{"ShortName": "B"}, {"ShortName": "B"}]`, `{"DataCenters": [{"ShortName": "A"}, {"ShortName": "C"}]}`, `{"DataCenters": [{"ShortName": "B"}]}`},
	"all are replaced where there are none":         {`"update-type": "CLEAR_ALL_AND_REPLACE", "update-field": "DATA_CENTERS", "update-value": {"ShortName": "B", "LongName": null}`, `{}`, `{"DataCenters": [{"ShortName": "B"}]}`},
	"all are replaced by what was there":            {`"update-type": "CLEAR_ALL_AND_REPLACE", "update-field": "DATA_CENTERS", "update-value": {"ShortName": "A"}`, `{"DataCenters": [{"ShortName": "A"}]}`, `!UNCHANGED`},
	"every platform gets the instruments":           {`"update-type": "CLEAR_ALL_AND_REPLACE", "update-field": "INSTRUMENTS", "update-value": {"ShortName": "I"}`, `{"Platforms": [{"ShortName": "A"}, {"ShortName": "B", "Instruments": [{"ShortName": "J"}]}, {"ShortName": "C", "Instruments": null}]}`, `{"Platforms": [{"ShortName": "A", "Instruments": [{"ShortName": "I"}]}, {"ShortName": "B", "Instruments": [{"ShortName": "I"}]}, {"ShortName": "C", "Instruments": [{"ShortName": "I"}]}]}`},
	"instruments where there are no platforms":      {`"update-type": "CLEAR_ALL_AND_REPLACE", "update-field": "INSTRUMENTS", "update-value": {"ShortName": "I"}`, `{"Title": "T"}`, `!SKIPPED`},
	"instruments are added where there is no place": {`"update-type": "ADD_TO_EXISTING", "update-field": "INSTRUMENTS", "update-value": {"ShortName": "I"}`, `{"Platforms": []}`, `!SKIPPED`},

	// CLEAR_FIELD
	"a field is cleared":                       {`"update-type": "CLEAR_FIELD", "update-field": "LOCATION_KEYWORDS"`, `{"LocationKeywords": [{"Category": "A"}], "Title": "T"}`, `{"Title": "T"}`},
	"a field is cleared, with a value as well": {`"update-type": "CLEAR_FIELD", "update-field": "LOCATION_KEYWORDS", "update-value": {"a": 1}, "find-value": {}`, `{"LocationKeywords": [{"Category": "A"}], "Title": "T"}`, `{"Title": "T"}`},
	"instruments are cleared":                  {`"update-type": "CLEAR_FIELD", "update-field": "INSTRUMENTS"`, `{"Platforms": [{"ShortName": "A"}, {"ShortName": "B", "Instruments": [{}]}]}`, `{"Platforms": [{"ShortName": "A"}, {"ShortName": "B"}]}`},
	"nothing to clear":                         {`"update-type": "CLEAR_FIELD", "update-field": "LOCATION_KEYWORDS"`, `{"Title": "T"}`, `!SKIPPED`},

	// FIND_AND_REPLACE
	"each match is replaced whole":               {`"update-type": "FIND_AND_REPLACE", "update-field": "PLATFORMS", "find-value": {"ShortName": "A"}, "update-value": {"LongName": "Aqua", "Type": null}`, `{"Platforms": [{"ShortName": "A", "Type": "T"}, {"ShortName": "B"}]}`, `{"Platforms": [{"LongName": "Aqua"}, {"ShortName": "B"}]}`},
	"several values in the place of one":         {`"update-type": "FIND_AND_REPLACE", "update-field": "PLATFORMS", "find-value": {"ShortName": "B"}, "update-value": [{"ShortName": "X"}, {"ShortName": "Y"}]`, `{"Platforms": [{"ShortName": "A"}, {"ShortName": "B"}, {"ShortName": "C"}]}`, `{"Platforms": [{"ShortName": "A"}, {"ShortName": "X"}, {"ShortName": "Y"}, {"ShortName": "C"}]}`},
	"what was replaced is distinct":              {`"update-type": "FIND_AND_REPLACE", "update-field": "PLATFORMS", "find-value": {"ShortName": "B"}, "update-value": {"ShortName": "A"}`, `{"Platforms": [{"ShortName": "A"}, {"ShortName": "B"}, {"ShortName": "B"}]}`, `{"Platforms": [{"ShortName": "A"}]}`},
	"an empty find replaces all":                 {`"update-type": "FIND_AND_REPLACE", "update-field": "PLATFORMS", "find-value": {}, "update-value": {"ShortName": "A"}`, `{"Platforms": [{"ShortName": "B"}, {"ShortName": "C"}]}`, `{"Platforms": [{"ShortName": "A"}]}`},
	"nothing to replace":                         {`"update-type": "FIND_AND_REPLACE", "update-field": "PLATFORMS", "find-value": {"ShortName": "X"}, "update-value": {"ShortName": "A"}`, `{"Platforms": [{"ShortName": "B"}]}`, `!SKIPPED`},
	"an instrument is replaced on each platform": {`"update-type": "FIND_AND_REPLACE", "update-field": "INSTRUMENTS", "find-value": {"ShortName": "I"}, "update-value": {"ShortName": "J"}`, `{"Platforms": [{"Instruments": [{"ShortName": "I"}]}, {"Instruments": [{"ShortName": "K"}]}, {"ShortName": "C"}]}`, `{"Platforms": [{"Instruments": [{"ShortName": "J"}]}, {"Instruments": [{"ShortName": "K"}]}, {"ShortName": "C"}]}`},

	// FIND_AND_UPDATE
	"each match is merged":                   {`"update-type": "FIND_AND_UPDATE", "update-field": "PLATFORMS", "find-value": {"ShortName": "A"}, "update-value": {"LongName": "Aqua", "New": [1]}`, `{"Platforms": [{"ShortName": "A", "LongName": "x", "Type": "T"}, {"ShortName": "B"}]}`, `{"Platforms": [{"ShortName": "A", "LongName": "Aqua", "Type": "T", "New": [1]}, {"ShortName": "B"}]}`},
	"null removes a key":                     {`"update-type": "FIND_AND_UPDATE", "update-field": "PLATFORMS", "find-value": {"ShortName": "A"}, "update-value": {"LongName": null}`, `{"Platforms": [{"ShortName": "A", "LongName": "x"}]}`, `{"Platforms": [{"ShortName": "A"}]}`},
	"nested objects are replaced whole":      {`"update-type": "FIND_AND_UPDATE", "update-field": "DATA_CENTERS", "find-value": {"ShortName": "A"}, "update-value": {"ContactInformation": {"Hours": "9"}}`, `{"DataCenters": [{"ShortName": "A", "ContactInformation": {"Hours": "8", "Other": 1}}]}`, `{"DataCenters": [{"ShortName": "A", "ContactInformation": {"Hours": "9"}}]}`},
	"what was merged is distinct":            {`"update-type": "FIND_AND_UPDATE", "update-field": "PLATFORMS", "find-value": {"ShortName": "B"}, "update-value": {"ShortName": "A"}`, `{"Platforms": [{"ShortName": "A"}, {"ShortName": "B"}]}`, `{"Platforms": [{"ShortName": "A"}]}`},
	"an update that says what is so":         {`"update-type": "FIND_AND_UPDATE", "update-field": "PLATFORMS", "find-value": {"ShortName": "A"}, "update-value": {"Type": "T"}`, `{"Platforms": [{"ShortName": "A", "Type": "T"}]}`, `!UNCHANGED`},
	"all keys of the find must be equal":     {`"update-type": "FIND_AND_UPDATE", "update-field": "PLATFORMS", "find-value": {"ShortName": "A", "Type": "T"}, "update-value": {"n": 1}`, `{"Platforms": [{"ShortName": "A"}, {"ShortName": "A", "Type": "t"}]}`, `!SKIPPED`},
	"a list in the find is meant whole":      {`"update-type": "FIND_AND_UPDATE", "update-field": "PLATFORMS", "find-value": {"Names": ["a", "b"]}, "update-value": {"n": 1}`, `{"Platforms": [{"Names": ["a"]}, {"Names": ["b", "a"]}, {"Names": ["a", "b"], "x": 1}]}`, `{"Platforms": [{"Names": ["a"]}, {"Names": ["b", "a"]}, {"Names": ["a", "b"], "x": 1, "n": 1}]}`},
	"an object in the find is meant whole":   {`"update-type": "FIND_AND_UPDATE", "update-field": "PLATFORMS", "find-value": {"At": {"x": 1}}, "update-value": {"n": 1}`, `{"Platforms": [{"At": {"x": 1, "y": 2}}, {"At": {"x": 1.0}}]}`, `{"Platforms": [{"At": {"x": 1, "y": 2}}, {"At": {"x": 1.0}, "n": 1}]}`},
	"an empty object in the find, too":       {`"update-type": "FIND_AND_UPDATE", "update-field": "PLATFORMS", "find-value": {"At": {}}, "update-value": {"n": 1}`, `{"Platforms": [{"At": {"x": 1}}, {"At": {}}]}`, `{"Platforms": [{"At": {"x": 1}}, {"At": {}, "n": 1}]}`},
	"found on one platform is found":         {`"update-type": "FIND_AND_UPDATE", "update-field": "INSTRUMENTS", "find-value": {"ShortName": "I"}, "update-value": {"n": 1}`, `{"Platforms": [{"Instruments": [{"ShortName": "K"}]}, {"Instruments": [{"ShortName": "I"}]}, {}]}`, `{"Platforms": [{"Instruments": [{"ShortName": "K"}]}, {"Instruments": [{"ShortName": "I", "n": 1}]}, {}]}`},
	"found on no platform is skipped":        {`"update-type": "FIND_AND_UPDATE", "update-field": "INSTRUMENTS", "find-value": {"ShortName": "X"}, "update-value": {"n": 1}`, `{"Platforms": [{"Instruments": [{"ShortName": "K"}]}, {}]}`, `!SKIPPED`},
	"where nothing matches nothing changes":  {`"update-type": "FIND_AND_UPDATE", "update-field": "INSTRUMENTS", "find-value": {"ShortName": "I"}, "update-value": {"n": 1}`, `{"Platforms": [{"Instruments": [{"k": 1}, {"k": 1}]}, {"Instruments": [{"ShortName": "I"}]}]}`, `{"Platforms": [{"Instruments": [{"k": 1}, {"k": 1}]}, {"Instruments": [{"ShortName": "I", "n": 1}]}]}`},
	"a record that does not have the field":  {`"update-type": "FIND_AND_UPDATE", "update-field": "PLATFORMS", "find-value": {}, "update-value": {"n": 1}`, `{"Title": "T"}`, `!SKIPPED`},
	"what is updated may have an empty find": {`"update-type": "FIND_AND_UPDATE", "update-field": "PLATFORMS", "find-value": {}, "update-value": {"n": 1}`, `{"Platforms": [{"a": 1}, {"b": 2}]}`, `{"Platforms": [{"a": 1, "n": 1}, {"b": 2, "n": 1}]}`},

	// FIND_AND_REMOVE
	"matches are removed":                     {`"update-type": "FIND_AND_REMOVE", "update-field": "PLATFORMS", "find-value": {"ShortName": "A"}`, `{"Platforms": [{"ShortName": "A", "x": 1}, {"ShortName": "B"}, {"ShortName": "B"}]}`, `{"Platforms": [{"ShortName": "B"}, {"ShortName": "B"}]}`},
	"a value beside a removal is ignored":     {`"update-type": "FIND_AND_REMOVE", "update-field": "PLATFORMS", "find-value": {"ShortName": "A"}, "update-value": {"x": 1}`, `{"Platforms": [{"ShortName": "A"}, {"ShortName": "B"}]}`, `{"Platforms": [{"ShortName": "B"}]}`},
	"an emptied list goes":                    {`"update-type": "FIND_AND_REMOVE", "update-field": "PLATFORMS", "find-value": {}`, `{"Platforms": [{"ShortName": "A"}], "Title": "T"}`, `{"Title": "T"}`},
	"an emptied list goes from each platform": {`"update-type": "FIND_AND_REMOVE", "update-field": "INSTRUMENTS", "find-value": {"ShortName": "I"}`, `{"Platforms": [{"ShortName": "A", "Instruments": [{"ShortName": "I"}]}, {"ShortName": "B", "Instruments": [{"ShortName": "I"}, {"ShortName": "J"}]}]}`, `{"Platforms": [{"ShortName": "A"}, {"ShortName": "B", "Instruments": [{"ShortName": "J"}]}]}`},
	"nothing to remove":                       {`"update-type": "FIND_AND_REMOVE", "update-field": "PLATFORMS", "find-value": {"ShortName": "a"}`, `{"Platforms": [{"ShortName": "A"}]}`, `!SKIPPED`},

	// FIND_AND_UPDATE_HOME_PAGE_URL
	"a home page is replaced": {homePage(`{"LongName": "L", "ContactInformation": {"RelatedUrls": [{"URLContentType": "DataCenterURL", "Type": "HOME PAGE", "URL": "http://new"}]}}`),
		`{"DataCenters": [{"ShortName": "A", "ContactInformation": {"Hours": "9", "RelatedUrls": [{"URLContentType": "DataCenterURL", "Type": "HOME PAGE", "URL": "http://old", "Description": "d"}, {"URL": "http://other"}]}}]}`,
		`{"DataCenters": [{"ShortName": "A", "LongName": "L", "ContactInformation": {"Hours": "9", "RelatedUrls": [{"URLContentType": "DataCenterURL", "Type": "HOME PAGE", "URL": "http://new"}, {"URL": "http://other"}]}}]}`},
	"a home page is added": {homePage(`{"ContactInformation": {"RelatedUrls": [{"URLContentType": "DataCenterURL", "Type": "HOME PAGE", "URL": "http://new"}]}}`),
		`{"DataCenters": [{"ShortName": "A"}]}`,
		`{"DataCenters": [{"ShortName": "A", "ContactInformation": {"RelatedUrls": [{"URLContentType": "DataCenterURL", "Type": "HOME PAGE", "URL": "http://new"}]}}]}`},
	"a home page is removed, and what is empty then": {homePage(`{"LongName": "L"}`),
		`{"DataCenters": [{"ShortName": "A", "ContactInformation": {"RelatedUrls": [{"URLContentType": "DataCenterURL", "Type": "HOME PAGE", "URL": "http://old"}]}}, {"ShortName": "B"}]}`,
		`{"DataCenters": [{"ShortName": "A", "LongName": "L"}, {"ShortName": "B"}]}`},
	"the rest of the contact stays": {homePage(`{"LongName": "L"}`),
		`{"DataCenters": [{"ShortName": "A", "ContactInformation": {"Hours": "9", "RelatedUrls": [{"URL": "http://other"}]}}]}`,
		`{"DataCenters": [{"ShortName": "A", "LongName": "L", "ContactInformation": {"Hours": "9", "RelatedUrls": [{"URL": "http://other"}]}}]}`},
	"no such data centre": {homePage(`{"LongName": "L"}`), `{"DataCenters": [{"ShortName": "B"}]}`, `!SKIPPED`},
}

func homePage(value string) string {
	return `"update-type": "FIND_AND_UPDATE_HOME_PAGE_URL", "update-field": "DATA_CENTERS", "find-value": {"ShortName": "A"}, "update-value": ` + value
}
