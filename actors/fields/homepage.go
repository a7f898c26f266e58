package fields

import (
	"slices"

	"concord/actors/jsonvalue"
)

// The members of a data centre of CMR that have to do with its home page.
const (
	memberContact = "ContactInformation"
	memberURLs    = "RelatedUrls"
	memberClass   = "URLContentType"
	memberType    = "Type"
	classOfHome   = "DataCenterURL"
	typeOfHome    = "HOME PAGE"
)

// compileHomePage is FIND_AND_UPDATE_HOME_PAGE_URL: a shallow merge as in FIND_AND_UPDATE, but for the contact information.
// Of that only the home page of the value is taken: it comes in the place of the first home page of the match, the others
// go; where there is none it is added. A value without a home page removes it, and what is empty then.
func compileHomePage(in *Instruction, v *jsonvalue.Value, path string, f *faults) action {
	if !f.updating(in, v, path) {
		return action{}
	}
	home, ignored := f.homeOf(v, path)
	rest, bytes := jsonvalue.Without(v, memberContact), v.Size()
	return in.each(func(e *edit, x *jsonvalue.Value) []*jsonvalue.Value {
		if ignored {
			e.warn(below(e.place.String(), memberContact), "only the home page was taken from the value's %s", memberContact)
		}
		if e.isObject(x) && e.spend(bytes) {
			x = overlay(x, rest)
			old, _ := x.Get(memberContact)
			if contact := e.withHome(old, home); contact != old {
				x = jsonvalue.With(x, memberContact, contact)
			}
		}
		return []*jsonvalue.Value{x}
	})
}

// homeOf is the home page in a value, nil if it has none; ignored says if its contact information has anything else.
func (f *faults) homeOf(v *jsonvalue.Value, path string) (home *jsonvalue.Value, ignored bool) {
	contact, given := v.Get(memberContact)
	if !given || contact.Kind() == jsonvalue.Null {
		return nil, false
	}
	path = below(path, memberContact)
	if contact.Kind() != jsonvalue.Object {
		f.add(path, "must be an object, and is %s", kindOf(contact))
		return nil, false
	}
	urls, given := contact.Get(memberURLs)
	ignored = contact.Len() > 1 || !given && contact.Len() > 0
	if !given || urls.Kind() == jsonvalue.Null {
		return nil, ignored
	}
	path = below(path, memberURLs)
	if urls.Kind() != jsonvalue.Array {
		f.add(path, "must be a list, and is %s", kindOf(urls))
	}
	for i, u := range urls.Elements() {
		switch {
		case !isHome(u):
			ignored = true
		case home != nil:
			f.add(element(path, i), "is a second home page")
		default:
			home = withoutNulls(u)
		}
	}
	return home, ignored
}

func isHome(v *jsonvalue.Value) bool {
	class, _ := v.Get(memberClass)
	kind, _ := v.Get(memberType)
	return class != nil && kind != nil && class.Str() == classOfHome && kind.Str() == typeOfHome
}

// withHome is contact information with this home page and no other; nil if nothing is left of it.
func (e *edit) withHome(contact, home *jsonvalue.Value) *jsonvalue.Value {
	var urls *jsonvalue.Value
	if contact != nil && contact.Kind() != jsonvalue.Null {
		if contact.Kind() != jsonvalue.Object {
			e.failAt(below(e.place.String(), memberContact), "is %s, not an object", kindOf(contact))
			return contact
		}
		urls, _ = contact.Get(memberURLs)
	}
	if urls != nil && urls.Kind() != jsonvalue.Null && urls.Kind() != jsonvalue.Array {
		e.failAt(e.place.String()+jsonvalue.Pointer{memberContact, memberURLs}.String(), "is %s, not a list", kindOf(urls))
		return contact
	}
	if home == nil && (urls == nil || !slices.ContainsFunc(urls.Elements(), isHome)) {
		return contact // nothing to remove
	}
	var list []*jsonvalue.Value
	if urls != nil {
		list = slices.Clone(urls.Elements())
	}
	i := slices.IndexFunc(list, isHome)
	switch {
	case i >= 0:
		list = append(list[:i], slices.DeleteFunc(list[i:], isHome)...)
		if home != nil {
			list = slices.Insert(list, i, home)
		}
	case home != nil:
		list = append(list, home)
	}
	if len(list) > 0 {
		return jsonvalue.With(contact, memberURLs, jsonvalue.NewArray(list...))
	}
	if contact = jsonvalue.Without(contact, memberURLs); contact.Len() == 0 {
		return nil
	}
	return contact
}
