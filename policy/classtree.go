package policy

import "time"

// leafLocked returns the node of a class, made on demand, with its bounds as
// the class has them now.
func (a *admission) leafLocked(now time.Time, k *class) *node {
	leaf := a.nodes[k.path]
	if leaf == nil {
		leaf = a.growLocked(now, k)
	}
	if leaf.class != k && leaf.path == k.path {
		leaf.class = k
		i := len(k.levels)
		for n := leaf; n != nil && i > 0; n = n.parent {
			i--
			n.level = k.levels[i]
		}
	}
	leaf.used = now
	return leaf
}

func (a *admission) growLocked(now time.Time, k *class) *node {
	if now.Sub(a.swept) >= idleClass {
		a.dropLocked(now, idleClass)
		a.swept = now
	}
	if len(a.nodes)+len(k.levels) > a.max { // before anything of the path is looked up: it may go, too
		a.sweepLocked(now)
	}
	var parent *node
	for _, lv := range k.levels {
		n := a.nodes[lv.path]
		if n == nil {
			if len(a.nodes) >= a.max {
				if parent == nil {
					return a.crowd
				}
				return parent
			}
			n = &node{path: lv.path, parent: parent, level: lv, used: now}
			a.nodes[lv.path] = n
			if parent != nil {
				parent.kids++
			}
		}
		parent = n
	}
	return parent
}

// sweepLocked makes room: classes that nobody has used for long go first, and
// if that leaves less than an eighth, all that nobody uses now.
func (a *admission) sweepLocked(now time.Time) {
	a.dropLocked(now, idleClass)
	if len(a.nodes) > a.max-a.max/8 {
		a.dropLocked(now, 0)
	}
}

// dropLocked forgets classes that nobody has used for at least so long, leaves
// before what they hang on.
func (a *admission) dropLocked(now time.Time, unused time.Duration) {
	for dropped := true; dropped; {
		dropped = false
		for path, n := range a.nodes {
			if n.kids > 0 || n.running > 0 || n.queued > 0 || now.Sub(n.used) < unused {
				continue
			}
			delete(a.nodes, path)
			if n.parent != nil {
				n.parent.kids--
			}
			dropped = true
		}
	}
}
