// Asks the browser for a passkey and sends its answer with the form that the server made. Without this script the form
// stays hidden and the password is the way in.
const form = document.querySelector('form[data-passkey]');
const supported = typeof window.PublicKeyCredential?.parseRequestOptionsFromJSON === 'function';

async function answer({ passkey: use, options }) {
  const given = JSON.parse(options);
  const credential =
    use === 'create'
      ? await navigator.credentials.create({
          publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(given),
        })
      : await navigator.credentials.get({
          publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(given),
        });
  return JSON.stringify(credential.toJSON());
}

if (form && supported) {
  form.hidden = false;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const problem = form.querySelector('[role=alert]');
    problem.hidden = true;
    try {
      form.elements.namedItem('credential').value = await answer(form.dataset);
      form.submit();
    } catch {
      problem.hidden = false;
    }
  });
}
