package merge

// arrange returns the places of the children that are left, in the order of the merged value: what both sides have in
// the order of the lead; what one side only has after its nearest predecessor on that side that is left, the server's
// before the client's. servers and clients are how many the sides have.
func arrange(children []child, servers, clients int, lead Side) []int {
	a := arrangement{children: children, servers: servers, order: make([]int, 0, len(children))}
	if lead == ServerSide && len(children) == servers { // the client has nothing of its own
		for i := range children {
			a.add(i)
		}
		return a.order
	}
	a.onClient = clientOrder(children, clients)
	a.runs(0, 0)
	if lead == ClientSide {
		for _, i := range a.onClient {
			a.spine(i)
		}
		return a.order
	}
	for i := range servers {
		a.spine(i)
	}
	return a.order
}

// clientOrder returns the places of the client's children, in its order.
func clientOrder(children []child, clients int) []int {
	onClient := make([]int, clients)
	for i := range children {
		if c := children[i].client; c != missing {
			onClient[c] = i
		}
	}
	return onClient
}

// arrangement is an order in the making.
type arrangement struct {
	children []child // the first are the server's, in its order
	servers  int
	onClient []int
	order    []int
}

// spine appends a child if both sides have it and it is left, and what stands behind it on either.
func (a *arrangement) spine(i int) {
	if a.anchors(i) {
		a.order = append(a.order, i)
		a.runs(a.children[i].server+1, a.children[i].client+1)
	}
}

func (a *arrangement) anchors(i int) bool {
	return a.children[i].shared() && a.children[i].merged != nil
}

// runs appends what one side only has, from these places on that side up to the next anchor.
func (a *arrangement) runs(server, client int) {
	for i := server; i < a.servers && !a.anchors(i); i++ {
		a.add(i)
	}
	for j := client; j < len(a.onClient) && !a.anchors(a.onClient[j]); j++ {
		a.add(a.onClient[j])
	}
}

// add appends a child that is left.
func (a *arrangement) add(i int) {
	if a.children[i].merged != nil {
		a.order = append(a.order, i)
	}
}

// lead is the side whose order the elements that both have get: the client's if it alone has moved elements that all
// three sides have, else the server's.
func lead(children []child, servers, clients int) Side {
	var server, client, same rising // places: in the base, in the base, on the client's side
	for i := range children[:servers] {
		if c := &children[i]; c.shared() {
			server.see(c.base)
			same.see(c.client)
		}
	}
	if server.broken || !same.broken {
		return ServerSide
	}
	for _, i := range clientOrder(children, clients) {
		if c := &children[i]; c.shared() {
			client.see(c.base)
		}
	}
	if client.broken {
		return ClientSide
	}
	return ServerSide
}

// rising sees places, and notes if they go down. Missing ones say nothing.
type rising struct {
	next   int // the least that is not lower than those seen
	broken bool
}

func (r *rising) see(place int) {
	switch {
	case place == missing:
	case place < r.next:
		r.broken = true
	default:
		r.next = place
	}
}
