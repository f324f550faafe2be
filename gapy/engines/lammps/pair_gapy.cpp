// The engine sees some thousand centres at a time, so that memory for pairs does not grow with
// the domain. Forces on ghosts go back to their owners here where LAMMPS does not do it (newton
// off) or does it too late (a force sigma follows the complete force).

#include "pair_gapy.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "lammps.h"
#include "memory.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "timer.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace LAMMPS_NS;

namespace {

#ifndef GAPY_CENTRES
#define GAPY_CENTRES 16384
#endif
constexpr int CENTRES = GAPY_CENTRES;    // at a time; a test makes it small
// Widths at which charges are points to 1e-12; kspace styles estimate errors by it.
constexpr double CHARGES_REACH = 10.0;
const GapyCallbacks &engine = gapy_engine;

}    // namespace

PairGapy::PairGapy(LAMMPS *lmp) : Pair(lmp)
{
  single_enable = 0;
  restartinfo = 0;
  one_coeff = 1;
  manybody_flag = 1;
  no_virial_fdotr_compute = 1;
  centroidstressflag = CENTROID_NOTAVAIL;
  comm_forward = N_INDICATORS;
  comm_reverse = comm_reverse_off = 6 + N_DEVIATIONS;
  nextra = 1;
  pvector = new double[1];
  pvector[0] = largest;
}

PairGapy::~PairGapy()
{
  if (engine.close && opened.model >= 0) engine.close(opened.model);
  delete[] pvector;
  if (allocated) {
    memory->destroy(setflag);
    memory->destroy(cutsq);
  }
}

double PairGapy::positive(const char *keyword, const char *value)
{
  double number = utils::numeric(FLERR, value, false, lmp);
  if (!(number > 0.0))
    error->all(FLERR, std::string("pair_style gapy ") + keyword +
                          ": expected a number above 0, got " + value);
  return number;
}

void PairGapy::settings(int narg, char **arg)
{
  const std::string known =
      "sigma N, without BASELINE, max_force_std X, frame FILE, member K, posterior N, "
      "precision single or double";
  // LAMMPS keeps the object when the same style is named again.
  member = posterior_every = -1, sigma_every = 0, stopped = false;
  max_force_std = std::numeric_limits<double>::infinity();
  frame_path = "flagged.extxyz";
  precision.clear(), without.clear(), ewaldflag = pppmflag = 0;
  for (int k = 0; k < narg; k += 2) {
    const std::string key = arg[k];
    if (k + 1 == narg)
      error->all(FLERR, "pair_style gapy " + key + ": expected a value after it; known: " + known);
    if (key == "sigma")
      sigma_every = utils::inumeric(FLERR, arg[k + 1], false, lmp);
    else if (key == "max_force_std")
      max_force_std = positive(arg[k], arg[k + 1]);
    else if (key == "frame")
      frame_path = arg[k + 1];
    else if (key == "precision")
      precision = arg[k + 1];
    else if (key == "member")
      member = utils::inumeric(FLERR, arg[k + 1], false, lmp);
    else if (key == "posterior")
      posterior_every = utils::inumeric(FLERR, arg[k + 1], false, lmp);
    else if (key == "without") {
      without += std::string(arg[k + 1]) + " ";
      // What it means is known at pair_coeff; a hybrid style asks for the flags before.
      ewaldflag = pppmflag = 1;
    }
    else
      error->all(FLERR, "pair_style gapy: expected the keywords " + known + ", got " + key);
    if ((key == "sigma" && sigma_every < 1) || (key == "member" && member < 0) ||
        (key == "posterior" && posterior_every < 0))
      error->all(FLERR, "pair_style gapy " + key + ": expected " +
                            (key == "sigma" ? "at least 1" : "at least 0") + ", got " + arg[k + 1]);
  }
  // A limit that is looked at never would be none.
  if (std::isfinite(max_force_std) && !sigma_every) sigma_every = 1;
}

void PairGapy::coeff(int narg, char **arg)
{
  const int n_types = atom->ntypes;
  if (!allocated) {
    memory->create(setflag, n_types + 1, n_types + 1, "pair:setflag");
    memory->create(cutsq, n_types + 1, n_types + 1, "pair:cutsq");
    map = new int[n_types + 1];
    allocated = 1;
  }
  if (narg != 3 + n_types)
    error->all(FLERR, "pair_coeff of gapy: expected * * MODEL.gapy and the chemical symbol of each "
                      "of the " + std::to_string(n_types) + " atom types (NULL: not this style's)");
  map_element2type(narg - 3, arg + 3);
  std::string symbols;
  for (int k = 3; k < narg; ++k) symbols += (k > 3 ? " " : "") + std::string(arg[k]);
  number_of_type.assign(n_types + 1, 0);
  if (!engine.open)
    error->all(FLERR, "pair_style gapy: no Python behind it; start with `gapy lammps` or call "
                      "gapy.engines.lammps.attach on the LAMMPS object");
  if (opened.model >= 0) engine.close(opened.model);
  opened.model = -1;
  message[0] = 0;
  agree(!engine.open(arg[2], symbols.c_str(), without.c_str(), precision.c_str(), member,
                     posterior_every, &opened, number_of_type.data() + 1, message));
  charges_reach = CHARGES_REACH * opened.charge_width;
  if (comm->me == 0 && message[0]) utils::logmesg(lmp, std::string(message) + "\n");
}

void PairGapy::init_style()
{
  if (strcmp(update->unit_style, "metal") != 0)
    error->all(FLERR, std::string("pair_style gapy: expected units metal, got units ") +
                          update->unit_style + "; the model is in eV and Angstrom");
  if (!atom->tag_enable) error->all(FLERR, "pair_style gapy: expected atoms with IDs");
  neighbor->add_request(this, NeighConst::REQ_FULL);
  if (opened.leaves_out) require_beside();
}

// All ranks go on, or all stop with the message of the first that failed.
void PairGapy::agree(bool failed)
{
  int here = failed ? comm->me : comm->nprocs, where = 0;
  MPI_Allreduce(&here, &where, 1, MPI_INT, MPI_MIN, world);
  if (where == comm->nprocs) return;
  if (!message[0]) strcpy(message, "pair_style gapy: interrupted in Python");
  MPI_Bcast(message, MESSAGE_LENGTH, MPI_CHAR, where, world);
  error->all(FLERR, std::string(message));
}

// Centres begin..end-1 of the list with the pairs within the cutoff.
void PairGapy::gather(int begin, int end)
{
  double **x = atom->x;
  const double cut2 = opened.cutoff * opened.cutoff;
  members.clear(), number.clear(), neighbour.clear(), vector.clear();
  first.assign(1, 0);
  auto enter = [&](int i) {
    place[i] = members.size();
    members.push_back(i);
    number.push_back(number_of_type[atom->type[i]]);
  };
  for (int k = begin; k < end; ++k) enter(list->ilist[k]);
  for (int k = begin; k < end; ++k) {
    const int i = list->ilist[k];
    const int *js = list->firstneigh[i];
    for (int p = 0; p < list->numneigh[i]; ++p) {
      const int j = js[p] & NEIGHMASK;
      const double a = x[j][0] - x[i][0], b = x[j][1] - x[i][1], c = x[j][2] - x[i][2];
      if (a * a + b * b + c * c >= cut2) continue;
      if (place[j] < 0) enter(j);
      neighbour.push_back(place[j]);
      vector.insert(vector.end(), {a, b, c});
    }
    first.push_back(neighbour.size());
  }
  for (int i : members) place[i] = -1;
}

// What was gathered last, with results that start at zero.
GapyPart PairGapy::part()
{
  const size_t n = members.size(), centres = first.size() - 1;
  energies.assign(centres, 0.0), sigma.assign(centres, 0.0);
  out_forces.assign(3 * n, 0.0), out_base.assign(3 * n, 0.0);
  out_indicators.assign(N_INDICATORS * n, 0.0);
  out_deviations.assign(samples_now ? N_DEVIATIONS * n : 0, 0.0);
  return {opened.model, (int64_t) n, (int64_t) centres, (int64_t) neighbour.size(),
          number.data(), first.data(), neighbour.data(), vector.data(), energies.data(),
          out_forces.data(), out_base.data(), out_indicators.data(), out_deviations.data(),
          sigma.data(), {}, sigma_now, samples_now};
}

void PairGapy::evaluate_part(int begin, int end)
{
  gather(begin, end);
  GapyPart now = part();
  if (!engine.evaluate(&now, message)) throw std::string(message);
  for (size_t m = 0; m < members.size(); ++m)
    for (int c = 0; c < 3; ++c) {
      forces[3 * members[m] + c] += out_forces[3 * m + c];
      if (opened.has_baselines) base_forces[3 * members[m] + c] += out_base[3 * m + c];
    }
  if (samples_now)
    for (size_t m = 0; m < members.size(); ++m)
      for (int c = 0; c < N_DEVIATIONS; ++c)
        deviations[N_DEVIATIONS * members[m] + c] += out_deviations[N_DEVIATIONS * m + c];
  for (int k = 0; k < end - begin; ++k) {
    if (eflag_global) eng_vdwl += energies[k];
    if (eflag_atom) eatom[members[k]] += energies[k];
    if (sigma_now)
      std::copy_n(&out_indicators[N_INDICATORS * k], N_INDICATORS,
                  &indicators[N_INDICATORS * members[k]]);
  }
  if (vflag_global) {
    const int of[6] = {0, 4, 8, 1, 2, 5};
    const int transposed[6] = {0, 4, 8, 3, 6, 7};
    for (int v = 0; v < 6; ++v)
      virial[v] -= 0.5 * (now.virial[of[v]] + now.virial[transposed[v]]);
  }
}

void PairGapy::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag);
  message[0] = 0;
  if (vflag_atom || cvflag_atom)
    error->all(FLERR, "pair_style gapy: no virial of single atoms; leave out compute stress/atom "
                      "and the like");
  const bigint step = update->ntimestep;
  sigma_now = sigma_asked || (sigma_every && step % sigma_every == 0);
  samples_now = sigma_now && opened.posterior_every && step % opened.posterior_every == 0;
  const int n_owned = atom->nlocal, n_all = atom->nlocal + atom->nghost;
  forces.assign(3 * n_all, 0.0);
  place.assign(n_all, -1);
  if (opened.has_baselines) base_forces.assign(3 * n_all, 0.0);
  if (sigma_now) indicators.assign(N_INDICATORS * n_all, 0.0);
  if (samples_now) deviations.assign(N_DEVIATIONS * (size_t) n_all, 0.0);

  bool failed = false;
  try {
    for (int k = 0; k < list->inum; k += CENTRES)
      evaluate_part(k, std::min(k + CENTRES, list->inum));
  } catch (const std::string &) {
    failed = true;
  }
  agree(failed);

  const bool completes = sigma_now || !force->newton_pair;
  if (completes)
    comm->reverse_comm(this, (opened.has_baselines ? 6 : 3) + (samples_now ? N_DEVIATIONS : 0));
  if (n_all) {    // without atoms there may be no array
    double *f = atom->f[0];
    for (int k = 0; k < 3 * (completes ? n_owned : n_all); ++k) f[k] += forces[k];
  }
  if (sigma_now) all_sigmas();
}

void PairGapy::all_sigmas()
{
  comm->forward_comm(this);
  force_sigma.assign(atom->nmax, 0.0);
  double here = 0.0;
  bool failed = false;
  for (int k = 0; k < list->inum && !failed; k += CENTRES) {
    const int end = std::min(k + CENTRES, list->inum);
    if (list->inum > CENTRES) gather(k, end);    // else they are still there
    GapyPart now = part();
    for (size_t m = 0; m < members.size(); ++m) {
      std::copy_n(&forces[3 * members[m]], 3, &out_forces[3 * m]);
      if (opened.has_baselines) std::copy_n(&base_forces[3 * members[m]], 3, &out_base[3 * m]);
      std::copy_n(&indicators[N_INDICATORS * members[m]], N_INDICATORS,
                  &out_indicators[N_INDICATORS * m]);
      if (samples_now)
        std::copy_n(&deviations[N_DEVIATIONS * members[m]], N_DEVIATIONS,
                    &out_deviations[N_DEVIATIONS * m]);
    }
    failed = !engine.sigma(&now, message);
    for (int c = 0; c < end - k && !failed; ++c) {
      force_sigma[members[c]] = sigma[c];
      // Comparisons with a NaN are false: one must neither look small nor be replaced.
      if (!std::isnan(here) && !(sigma[c] <= here)) here = sigma[c];
    }
  }
  agree(failed);
  if (std::isnan(here)) here = std::numeric_limits<double>::infinity();
  MPI_Allreduce(&here, &largest, 1, MPI_DOUBLE, MPI_MAX, world);
  // Compute pair adds up what the ranks have.
  pvector[0] = comm->me == 0 ? largest : 0.0;
  if (largest > max_force_std && !stopped) stop();
}

// The step at hand is completed; then the run ends on all ranks, as at LAMMPS' wall time limit.
void PairGapy::stop()
{
  stopped = true;
  const int n = atom->nlocal;
  std::vector<int64_t> tags(n), numbers(n);
  for (int i = 0; i < n; ++i) {
    tags[i] = atom->tag[i];
    numbers[i] = number_of_type[atom->type[i]];
  }
  const Domain *d = domain;
  GapyFrame frame = {update->ntimestep, n, tags.data(), numbers.data(),
                     n ? atom->x[0] : nullptr, n ? atom->v[0] : nullptr, force_sigma.data(),
                     {d->xprd, 0, 0, d->xy, d->yprd, 0, d->xz, d->yz, d->zprd},
                     {d->boxlo[0], d->boxlo[1], d->boxlo[2]},
                     {d->periodicity[0], d->periodicity[1], d->periodicity[2]},
                     (int32_t) MPI_Comm_c2f(world), max_force_std, frame_path.c_str()};
  agree(!engine.stopped(&frame, message));
  if (comm->me == 0) utils::logmesg(lmp, std::string(message) + "\n");
  timer->force_timeout();
}

// Fix pair sets sigma_flag at the steps whose sigma it copies.
void *PairGapy::extract(const char *name, int &dim)
{
  dim = 0;
  // Kspace styles ask for the end of the charges' part in real space, which is none.
  if (strcmp(name, "cut_coul") == 0) return opened.charge_width > 0.0 ? &charges_reach : nullptr;
  return strcmp(name, "sigma_flag") == 0 ? &sigma_asked : nullptr;
}

void *PairGapy::extract_peratom(const char *name, int &columns)
{
  columns = 0;
  if (strcmp(name, "sigma") != 0) return nullptr;
  if ((int) force_sigma.size() < std::max(1, atom->nmax)) force_sigma.resize(std::max(1, atom->nmax));
  return force_sigma.data();
}

int PairGapy::pack_forward_comm(int n, int *which, double *buffer, int, int *)
{
  for (int k = 0; k < n; ++k)
    std::copy_n(&indicators[N_INDICATORS * which[k]], N_INDICATORS, buffer + N_INDICATORS * k);
  return N_INDICATORS * n;
}

void PairGapy::unpack_forward_comm(int n, int begin, double *buffer)
{
  std::copy_n(buffer, N_INDICATORS * n, &indicators[N_INDICATORS * begin]);
}

int PairGapy::pack_reverse_comm(int n, int begin, double *buffer)
{
  double *out = buffer;
  for (int i = begin; i < begin + n; ++i) {
    out = std::copy_n(&forces[3 * i], 3, out);
    if (opened.has_baselines) out = std::copy_n(&base_forces[3 * i], 3, out);
    if (samples_now) out = std::copy_n(&deviations[N_DEVIATIONS * i], N_DEVIATIONS, out);
  }
  return out - buffer;
}

void PairGapy::unpack_reverse_comm(int n, int *which, double *buffer)
{
  for (int k = 0; k < n; ++k) {
    for (int c = 0; c < 3; ++c) forces[3 * which[k] + c] += *buffer++;
    if (opened.has_baselines)
      for (int c = 0; c < 3; ++c) base_forces[3 * which[k] + c] += *buffer++;
    if (samples_now)
      for (int c = 0; c < N_DEVIATIONS; ++c) deviations[N_DEVIATIONS * which[k] + c] += *buffer++;
  }
}

double PairGapy::memory_usage()
{
  double bytes = Pair::memory_usage();
  for (const auto *v : {&forces, &base_forces, &indicators, &deviations, &force_sigma, &vector,
                        &out_forces, &out_base, &out_indicators, &out_deviations})
    bytes += v->capacity() * sizeof(double);
  return bytes;
}
