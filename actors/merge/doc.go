// Package merge is the three-way merge of JSON values: base, which both sides began with; client, what a caller made of it;
// server, what stands there now. It is pure: no I/O, clock, randomness or goroutine.
//
// # A node
//
// Merge goes from the top of a part (/metadata, /documents/<id>) down. At each node the rule of its path is asked first. Where
// there is none, or where the rule does not apply, these hold, the first that fits. A missing value is a value of its own;
// null is not missing. Values are equal as jsonvalue.Equal says: decimals, unescaped strings, objects without order.
//
//	client    server    base                  result
//	object    object    object, or missing    merged member by member
//	x         x         any                   x
//	x         y         x                     y: only the server changed it
//	x         y         y                     x: only the client changed it
//	x         y         missing               conflict add/add
//	missing   y         z                     conflict delete/modify
//	x         missing   z                     conflict modify/delete
//	x         y         z                     conflict modify/modify
//
// So a conflict is named at the highest node where the sides disagree and that is no object on all; what was deleted
// against a change inside it is a conflict at the deleted node. A text that is an object on both sides now is not merged
// inside: there is nothing to compare the members with. Arrays are single values.
//
// # A rule
//
//	strategy     applies where                     result
//	server       always                            the server's value; missing where the server has none
//	client       always                            the client's value if it differs from the base's, else the server's
//	atomic       always                            by the table, but for its first line
//	counter      client and server are numbers,    server + client - base, exactly; a missing base is 0;
//	             base is one or is missing         more than 1,000 digits: modify/modify or add/add
//	max, min     both sides changed it to numbers  the greater, the lesser number
//	set          client and server are arrays,     one side changed it: that side; else the server's elements less those
//	             base is one or is missing         that the client removed, then those that it added, in its order, once
//	keyed(key)   client and server are arrays,     elements matched by the value of their member key, and merged as nodes,
//	             base is one or is missing         each with the rules of its path
//
// Where a rule does not apply, the table holds: a counter that is an object is merged member by member. Below it other rules
// hold only if it is keyed.
//
// A rule is about a value in its place. What becomes of all that is around it is decided there: a client that removes an
// object removes also what is the server's in it, and a new object comes with all its members.
//
// # The path of a rule
//
// The token * stands for exactly one level: any member of an object, any element of a keyed array. Of two rules for one
// path the most exact holds: compared token by token from the left, a literal token beats *. So /metadata/a/* beats
// /metadata/*/b. Each rule but keyed decides all that is below it, and Compile refuses rules that no value can ever get to.
// The member that is the key of an element has no rule.
//
// # A keyed array
//
// A path names an element by its key: a string as it is, a number in one spelling (jsonvalue.CanonicalNumber). If an
// element of any side is no object, or its key is missing or neither a string nor a number, or if two elements of a side have
// one key, or if "1" and 1 are keys, then nothing can be matched: the table holds for the whole array, and its
// conflicts are invalid-key. So a list that was bad before is no hindrance to who does not touch it.
//
// The elements that both sides have stand in the order of the side that alone moved some (of those that all three have),
// else in the server's. What only one side has stands behind its nearest predecessor on that side that is left, at the
// beginning if there is none; at one place the server's stand before the client's. The members of an object stand in the
// same way, always in the order of the server.
//
// # The result
//
// At every node: a result that equals the server's value is the server's own, else one that equals the client's is the
// client's own, with its spelling and its order. Only what is neither is made anew, of their members and elements.
//
// # Laws
//
// With x, b, c and s for any values, and whatever rules:
//
//	merge(b, x, x) = x    but for counters: what both have counted adds up, or is a conflict of too many digits
//	merge(b, b, s) = s
//	merge(b, c, b) = c    but for what rules say is the server's
//
// The paths of the conflicts do not depend on which side is called client. A preferred side shows at the conflicts only.
// Every scalar but a counter is one of the client's or the server's.
package merge
